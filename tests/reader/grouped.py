"""A program with task groups whose owners wait for something else, or run. For CPython 3.11 and later.

It prints which tasks each owner has started in its groups and stands still until a line comes on stdin. With "anyio" as
argument the groups are anyio's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

STARTED: dict[int, list[int]] = {}
COMPLETES: list[object] = []  # a task, and those that it awaits one after the other
KEPT: list[object] = []


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def waits_for(task) -> None:
    await asyncio.wait([task])


def note(*tasks) -> None:
    KEPT.extend(tasks)
    STARTED.setdefault(id(asyncio.current_task()), []).extend(map(id, tasks))


async def in_the_body() -> None:
    async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
        note(outer.create_task(forever()), outer.create_task(forever()))
        note(inner.create_task(waits_for(asyncio.current_task())))
        await forever()


async def leaves() -> None:
    async with asyncio.TaskGroup() as group:
        KEPT.append(group.create_task(forever()))


async def left() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
    await forever()


async def completes() -> None:
    COMPLETES.append(str(id(asyncio.current_task())))
    tasks = [asyncio.get_running_loop().create_task(forever()) for _ in range(2)]
    COMPLETES.extend(map(id, tasks))
    for first in asyncio.as_completed(tasks):
        await first


async def in_anyio() -> None:
    import anyio

    async with anyio.create_task_group() as group:
        before = asyncio.all_tasks()
        group.start_soon(forever)
        group.start_soon(forever)
        note(*(asyncio.all_tasks() - before))
        await forever()


async def runs() -> None:
    async with asyncio.TaskGroup() as group:
        note(group.create_task(forever()))
        await asyncio.sleep(0)
        print(json.dumps({"pid": os.getpid(), "started": STARTED, "completes": COMPLETES}), flush=True)
        sys.stdin.readline()


async def main() -> None:
    functions = (in_anyio,) if "anyio" in sys.argv else (in_the_body, leaves, left, completes)
    KEPT.extend(asyncio.get_running_loop().create_task(function()) for function in functions)
    KEPT.append(asyncio.get_running_loop().create_task(done()))
    for _ in range(10):
        await asyncio.sleep(0)
    await runs()


async def done() -> None:
    pass


asyncio.run(main())
