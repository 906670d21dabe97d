"""A program with waits that nothing can end, and others that look alike. For CPython 3.9 and later.

It prints what it is as one JSON line and stands still until a line comes on stdin.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import weakref

HOLD = []


async def forgotten() -> None:
    await asyncio.get_running_loop().create_future()


async def forgotten_with_a_local() -> None:
    future = asyncio.get_running_loop().create_future()
    also = future
    await also


async def forgotten_deep() -> None:
    future = asyncio.get_running_loop().create_future()

    async def inner(waits) -> None:
        await waits

    await inner(future)


async def held() -> None:
    future = asyncio.get_running_loop().create_future()
    HOLD.append(future)
    await future


async def held_by_method() -> None:
    future = asyncio.get_running_loop().create_future()
    HOLD.append(future.set_result)
    await future


async def held_weakly() -> None:
    future = asyncio.get_running_loop().create_future()
    HOLD.append(weakref.ref(future))
    await future


async def held_in_cell() -> None:
    future = asyncio.get_running_loop().create_future()
    HOLD.append(lambda: future.set_result(None))
    await future


async def held_by_another_frame(name) -> None:
    future = asyncio.get_running_loop().create_future()

    async def ends_it(waits) -> None:
        await asyncio.sleep(3600)
        waits.set_result(None)

    HOLD.append(asyncio.get_running_loop().create_task(ends_it(future)))
    await future


async def sleeps() -> None:
    await asyncio.sleep(3600)


async def waits_for_event() -> None:
    event = asyncio.Event()
    HOLD.append(event)
    await event.wait()


async def never_begun() -> None:
    pass


async def inner_step(future) -> None:
    await future


async def driven_by_hand() -> None:
    await inner_step(asyncio.get_running_loop().create_future())


async def main() -> None:
    loop = asyncio.get_running_loop()
    tasks = {}
    for function in (forgotten, forgotten_with_a_local, forgotten_deep, held, held_by_method, held_weakly):
        tasks[function.__name__] = loop.create_task(function())
    for function in (held_in_cell, sleeps, waits_for_event):
        tasks[function.__name__] = loop.create_task(function())
    tasks["held_by_another_frame"] = loop.create_task(held_by_another_frame("name"))
    unlisted = loop.create_task(sleeps())
    for _ in range(10):
        await asyncio.sleep(0)
    asyncio.tasks._unregister_task(unlisted)
    HOLD.extend([never_begun() for _ in range(3)])
    by_hand = driven_by_hand()
    by_hand.send(None)
    HOLD.extend((unlisted, by_hand, tasks))
    gc.collect()
    names = {name: id(task) for name, task in tasks.items()}
    truth = {"pid": os.getpid(), "tasks": names, "unlisted": id(unlisted), "by_hand": id(by_hand), "objects": 0}
    truth["objects"] = len(gc.get_objects())
    print(json.dumps(truth), flush=True)
    sys.stdin.readline()


asyncio.run(main())
