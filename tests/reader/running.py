"""A program whose running tasks hold locks, in two loops. For CPython 3.9 and later.

A task of each loop stands in a blocking call, inside of all that it holds, while others wait for it. It prints who
holds what as one JSON line and stands still until a line comes on stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading

HOLD: list[object] = []
TRUTH: dict[str, dict[str, int]] = {"locks": {}, "holders": {}, "waiters": {}, "others": {}}


class OwnLock(asyncio.Lock):
    """A lock of the program's own class."""


@contextlib.asynccontextmanager
async def guarded(lock):
    async with lock:
        yield


async def enters(lock) -> None:
    async with lock:
        pass


def nested(blocks) -> None:
    with contextlib.suppress(KeyError):
        blocks()


async def deeper(blocks) -> None:
    try:
        nested(blocks)
    finally:
        HOLD.append("left")


async def runs(locks, blocks) -> None:
    """Enters all of them, lets the others queue up, and then runs on into a call that blocks."""
    async with locks["left again"]:
        pass
    async with locks["lock"], locks["own class"]:
        for _ in range(1):
            async with locks["semaphore"]:
                await locks["plain"].acquire()
                async with locks["condition"], contextlib.AsyncExitStack() as stack, guarded(locks["manager"]):
                    await stack.enter_async_context(locks["stack"])
                    for name, lock in locks.items():
                        task = asyncio.get_running_loop().create_task(enters(lock))
                        HOLD.append(task)
                        TRUTH["waiters"][name] = id(task)
                    for _ in range(5):
                        await asyncio.sleep(0)
                    await deeper(blocks)


async def loop_main(prefix, blocks) -> None:
    condition = asyncio.Condition()
    locks = {"lock": asyncio.Lock(), "own class": OwnLock(), "semaphore": asyncio.Semaphore(1), "condition": condition}
    locks |= {name: asyncio.Lock() for name in ("plain", "stack", "manager", "left again")}
    HOLD.append(locks)
    task = asyncio.get_running_loop().create_task(runs(locks, blocks))
    TRUTH["locks"].update({f"{prefix} {name}": id(lock) for name, lock in locks.items()})
    TRUTH["locks"][f"{prefix} of the condition"] = id(condition._lock)
    TRUTH["holders"][prefix] = id(task)
    await task


def blocks_for_ever(started) -> None:
    started.set()
    threading.Event().wait()


def main() -> None:
    started = threading.Event()

    def other() -> None:
        asyncio.run(loop_main("second", lambda: blocks_for_ever(started)))

    threading.Thread(target=other, daemon=True).start()
    started.wait()
    TRUTH["others"], TRUTH["waiters"] = TRUTH["waiters"], {}

    def tells() -> None:
        print(json.dumps({"pid": os.getpid(), **TRUTH}), flush=True)
        sys.stdin.readline()

    asyncio.run(loop_main("first", tells))


main()
