"""Loops in several threads, one of them with a job in a pool; every thread is called by the same name everywhere.

Says as JSON what it is called and which loop runs where, then stands still. For CPython 3.9 and later.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading

LOOPS: dict[str, int] = {}
BEGUN = threading.Barrier(3)


def call_me(name: str) -> None:
    """The kernel's name of this thread, at most 15 characters."""
    threading.current_thread().name = name
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as file:
        file.write(name)


def job() -> None:
    call_me("a-worker")
    BEGUN.wait()
    sys.stdin.read()


async def wait(name: str) -> None:
    LOOPS[name] = id(asyncio.get_running_loop())
    BEGUN.wait()
    await asyncio.get_running_loop().create_future()


async def work() -> None:
    loop = asyncio.get_running_loop()
    LOOPS["main"] = id(loop)
    done = loop.run_in_executor(None, job)
    loop.call_soon(tell)  # once this task waits
    await done


def another() -> None:
    call_me("another-loop")
    asyncio.run(wait("another-loop"))


def tell() -> None:
    BEGUN.wait()
    print(json.dumps({"pid": os.getpid(), "loops": LOOPS}), flush=True)


call_me("main")
threading.Thread(target=another, daemon=True).start()
asyncio.run(work())
