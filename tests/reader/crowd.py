"""Thousands of tasks, each named for what it is: `KIND-DEPTH-NUMBER`. For CPython 3.9 and later.

It prints what it is as one JSON line and stands still until a line comes on stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys


async def sleeps(depth: int) -> None:
    if depth:
        await sleeps(depth - 1)
    else:
        await asyncio.sleep(3600)


async def waits(depth: int) -> None:
    if depth:
        await waits(depth - 1)
    else:
        await asyncio.get_running_loop().create_future()


async def ticks(depth: int):
    await sleeps(depth)
    yield depth


async def iterates(depth: int) -> None:
    async for _ in ticks(depth):
        pass


async def bounded(depth: int) -> None:
    await asyncio.wait_for(waits(depth), 1800)


async def ends(depth: int) -> None:
    if depth % 2:
        raise ValueError(depth)


KINDS = [sleeps, waits, iterates, bounded, ends]


async def main() -> None:
    count = int(sys.argv[1])
    tasks = [
        asyncio.create_task(
            KINDS[number % len(KINDS)](number % 7), name=f"{KINDS[number % len(KINDS)].__name__}-{number % 7}-{number}"
        )
        for number in range(count)
    ]
    for _ in range(4):  # wait_for makes a task, whose first step makes a future
        await asyncio.sleep(0)
    told = {task.get_name(): id(task) for task in tasks if not task.done()}
    print(json.dumps({"pid": os.getpid(), "version": list(sys.version_info[:3]), "tasks": told}), flush=True)
    sys.stdin.readline()


asyncio.run(main())
