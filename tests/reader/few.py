"""A program with a few tasks of different kinds, small enough to be read in some milliseconds. It prints its pid as
JSON and stands still, with the reporter on the stack, until a line comes on stdin. For CPython 3.9 and later."""

from __future__ import annotations

import asyncio
import json
import os
import sys


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def nested(depth: int) -> None:
    if depth:
        await nested(depth - 1)
    else:
        await asyncio.sleep(3600)


async def holds(lock: asyncio.Lock) -> None:
    async with lock:
        await forever()


async def yields():
    await forever()
    yield


async def iterates() -> None:
    async for _ in yields():
        pass


async def gathers() -> None:
    await asyncio.gather(forever(), nested(1))


async def reports() -> None:
    print(json.dumps({"pid": os.getpid()}), flush=True)
    sys.stdin.readline()


async def main() -> None:
    lock, queue = asyncio.Lock(), asyncio.Queue()
    kinds = [holds(lock), holds(lock), queue.get(), nested(3), iterates(), gathers()]
    hold = [asyncio.create_task(kind) for kind in kinds]
    await asyncio.sleep(0.01)
    await asyncio.create_task(reports())
    del hold


asyncio.run(main())
