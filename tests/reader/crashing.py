"""A program with a few tasks that crashes when it is told to: by a null pointer in a C call (`segv`) or by abort()
(`abort`), in a task (`task`), in the thread of an executor (`thread`) or in a task of a second thread's loop, below a
call of C (`loop`). For CPython 3.9 and later.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
import threading


def crash() -> None:
    print(threading.get_native_id(), flush=True)
    sys.stdin.readline()
    if HOW == "abort":
        os.abort()
    ctypes.string_at(0)


def crash_later(loop: asyncio.AbstractEventLoop) -> None:
    """When the loop has gone on to something else, so that the task waits."""
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
    crash()


async def serves() -> None:
    await asyncio.get_running_loop().create_future()


async def handles() -> None:
    if WHERE == "loop":
        sorted([0], key=below_c)
    crash()


def below_c(_: int) -> int:
    crash()
    return 0


async def crashes() -> None:
    if WHERE == "thread":
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, crash_later, loop)
    await handles()


async def main() -> None:
    kept = [asyncio.ensure_future(serves()) for _ in range(3)]
    await asyncio.sleep(0)
    print(json.dumps({"pid": os.getpid(), "tasks": [id(task) for task in kept]}), flush=True)
    await asyncio.create_task(crashes(), name="crashes")


if __name__ == "__main__":
    HOW, WHERE = sys.argv[1:]
    if WHERE == "loop":
        second = threading.Thread(target=lambda: asyncio.run(main()))
        second.start()
        second.join()
    asyncio.run(main())
