"""The program that `reader.py` looks at: N sleeping tasks of five nested coroutines.

At first it sleeps. A line on its standard input: "walk" prints the milliseconds of its own walk over all tasks and
their chains, "busy" lets its loop run without a break, "rest" lets it sleep again.
"""

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import asyncio
import time


async def nested(depth):
    if depth > 1:
        await nested(depth - 1)
    else:
        await asyncio.sleep(3600)


def walk():
    began = time.perf_counter()
    for task in asyncio.all_tasks():
        coroutine, levels = task.get_coro(), []
        while coroutine is not None and getattr(coroutine, "cr_frame", None) is not None:
            levels.append((coroutine.__qualname__, coroutine.cr_frame.f_code.co_filename, coroutine.cr_frame.f_lineno))
            coroutine = coroutine.cr_await
    return 1e3 * (time.perf_counter() - began)


async def main():
    tasks = [asyncio.create_task(nested(5)) for _ in range(int(sys.argv[1]))]
    await asyncio.sleep(0)
    busy = asyncio.Event()

    def told():
        command = sys.stdin.readline().strip()
        if command == "walk":
            print(walk(), flush=True)
            return
        if not command:  # who started this is gone
            sys.exit()
        (busy.set if command == "busy" else busy.clear)()
        print(command, flush=True)

    asyncio.get_running_loop().add_reader(sys.stdin, told)
    print("ready", flush=True)
    while await busy.wait():
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)


asyncio.run(main())
