"""A program whose tasks were created in many ways, with asyncio's debug mode or an aiomonitor.

For CPython 3.9 and later.

It prints where each was created, by what the loop or the monitor keeps, as one JSON line with the names of its threads
and stands still until a line comes on stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
import time


async def waits(*inner) -> None:
    if inner:
        await asyncio.gather(*inner)
    await asyncio.get_running_loop().create_future()


async def parent(made) -> None:
    made.append(asyncio.get_running_loop().create_task(waits(waits(), waits())))
    made.append(asyncio.ensure_future(waits()))
    made.append(asyncio.tasks._PyTask(waits()))
    if hasattr(asyncio, "TaskGroup"):
        async with asyncio.TaskGroup() as group:
            made.append(group.create_task(waits()))
            await waits()
    await waits()


def stack_of(task, monitor):
    return task._source_traceback if monitor is None else monitor._created_tracebacks.get(task)


def told(task, monitor) -> dict[str, object]:
    """What is kept of one task, and by whom."""
    stack = [(f.filename, f.lineno, f.name) for f in stack_of(task, monitor) or ()]
    places = [place for place in stack if "/asyncio/" not in place[0] and "/aiomonitor/" not in place[0]]
    creator = monitor._created_traceback_chains.get(task) if monitor else None
    started = getattr(task, "_started_at", None)
    return {"place": places[-1:], "creator": id(creator()) if creator else None, "at": started}


async def main(monitor) -> None:
    names = {}

    def stays(started) -> None:
        names[threading.get_native_id()] = threading.current_thread().name
        started.set()
        threading.Event().wait()

    for name in ("a thread with a long name", None):
        started = threading.Event()
        threading.Thread(target=stays, args=(started,), name=name, daemon=True).start()
        started.wait()
    names[threading.get_native_id()] = "MainThread"
    made = []
    made.append(asyncio.get_running_loop().create_task(parent(made)))
    for _ in range(10):
        await asyncio.sleep(0)
    tasks = {id(task): told(task, monitor) for task in {*asyncio.all_tasks(), *made}}
    print(json.dumps({"pid": os.getpid(), "tasks": tasks, "names": names, "now": time.monotonic()}), flush=True)
    sys.stdin.readline()


async def monitored() -> None:
    import aiomonitor

    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = {"port": one.getsockname()[1], "webui_port": two.getsockname()[1]}
    loop = asyncio.get_running_loop()
    with aiomonitor.start_monitor(loop, hook_task_factory=True, console_enabled=False, **ports) as monitor:
        await main(monitor)


asyncio.run(monitored() if "monitored" in sys.argv else main(None), debug="debug" in sys.argv)
