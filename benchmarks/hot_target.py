"""The program that `hot.py` looks at: N tasks that never rest, and a ledger of what each of them does.

A task enters so many nested coroutines as it has just drawn, notes in the ledger how many and which future it is about
to await, awaits it, and begins anew. Whatever the moment: of every task but the one that runs the ledger is true.
"""

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import asyncio
import json
import os
import random
from array import array

COUNT = int(sys.argv[1])
LEDGER = array("Q", [0] * 3 * COUNT)  # for each task: its id, its depth, the id of its future


async def nested(number, depth):
    if depth > 1:
        await nested(number, depth - 1)
        return
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    LEDGER[3 * number + 2] = id(future)
    loop.call_soon(future.set_result, None)
    await future


async def busy(number, chance):
    LEDGER[3 * number] = id(asyncio.current_task())
    while True:
        LEDGER[3 * number + 1] = depth = chance.randrange(1, 6)
        await nested(number, depth)


async def main():
    tasks = [asyncio.create_task(busy(number, random.Random(number))) for number in range(COUNT)]
    await asyncio.sleep(0)
    address, _ = LEDGER.buffer_info()
    print(json.dumps({"pid": os.getpid(), "ledger": address}), flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
