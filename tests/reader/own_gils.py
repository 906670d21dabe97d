"""Loops in subinterpreters that have a GIL of their own, two of which run tasks at the same time. For CPython 3.12 and
later. Each says what its tasks are; the main interpreter prints all of it as one JSON line, and stands still.
"""

from __future__ import annotations

import json
import os
import sys
import threading

CODE = """
import asyncio, json, os, threading

NAME, SPINS, FD = {name!r}, {spins}, {fd}
STEPS = []

async def inner():
    await asyncio.sleep(3600)

async def outer():
    await inner()

async def holds(lock):
    async with lock:
        await inner()

def chain(coroutine):
    found = []
    while coroutine is not None and hasattr(coroutine, "cr_await"):
        found.append([id(coroutine), coroutine.__qualname__])
        coroutine = coroutine.cr_await
    return found

def tell(spinning=None):
    # `spinning`: what the current task awaits, and runs.
    loop, running = asyncio.get_running_loop(), asyncio.current_task() if spinning else None
    tasks = {{
        task.get_name(): [id(task), "running" if task is running else "pending", chain(task.get_coro())]
        for task in asyncio.all_tasks()
    }}
    if running:
        tasks[running.get_name()][2] += chain(spinning)
    told = dict(name=NAME, loop=id(loop), thread=threading.get_native_id(), tasks=tasks)
    os.write(FD, json.dumps(told).encode() + b"\\n")

async def spin():
    tell(STEPS[0])
    while True:
        pass

async def main():
    lock = asyncio.Lock()
    kept = [
        asyncio.create_task(what, name=f"{{NAME}} {{name}}")
        for name, what in (("nested", outer()), ("holds", holds(lock)), ("waits", holds(lock)))
    ]
    asyncio.current_task().set_name(f"{{NAME}} main")
    for _ in range(5):
        await asyncio.sleep(0)
    if SPINS:
        STEPS.append(spin())
        await STEPS[0]
    asyncio.get_running_loop().call_soon(tell)
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


def by_module(code: str) -> str:
    """Run `code` in a new interpreter and thread, by the module that the version has; what it says of the GIL."""
    if sys.version_info < (3, 13):
        import _xxsubinterpreters as interpreters

        made = interpreters.create(isolated=True)
        run, gil = interpreters.run_string, "own"
    else:
        import _interpreters as interpreters

        made = interpreters.create()
        run, gil = interpreters.exec, interpreters.get_config(made).gil
    threading.Thread(target=run, args=(made, code), daemon=True).start()
    return gil


def by_library(code: str) -> str:
    """The same by the standard library's `concurrent.interpreters` (3.14+)."""
    from concurrent import interpreters

    made = interpreters.create()
    threading.Thread(target=made.exec, args=(code,), daemon=True).start()
    import _interpreters

    return _interpreters.get_config(made.id).gil


def by_pool(code: str) -> str:
    """The same in a worker of a pool (3.14+)."""
    from concurrent.futures import InterpreterPoolExecutor

    InterpreterPoolExecutor(1).submit(exec, code, {})
    return "own"  # PEP 734: interpreters of this module are isolated


if __name__ == "__main__":
    reader, writer = os.pipe()
    ways = {"one": (by_module, 0), "two": (by_module, 1), "three": (by_module, 1)}
    if sys.version_info >= (3, 14):
        ways |= {"library": (by_library, 0), "pool": (by_pool, 0)}
    gils = {name: way(CODE.format(name=name, spins=spins, fd=writer)) for name, (way, spins) in ways.items()}
    with open(reader) as lines:
        told = [json.loads(lines.readline()) for _ in ways]
    print(json.dumps({"pid": os.getpid(), "gils": gils, "interpreters": told}), flush=True)
    sys.stdin.readline()
    os._exit(0)
