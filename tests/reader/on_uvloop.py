"""Tasks of many kinds in a uvloop. Says as JSON what they are, then waits for ever. For CPython 3.9 and later."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading

import uvloop

HOLD: list[object] = []
BEGUN = threading.Event()


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


async def gathers() -> None:
    await asyncio.gather(forever(), nested(1))


def job() -> None:
    BEGUN.set()
    threading.Event().wait()


async def works() -> None:
    await asyncio.get_running_loop().run_in_executor(None, job)


async def receives() -> None:
    ours, theirs = socket.socketpair()
    HOLD.append(theirs)
    ours.setblocking(False)
    await asyncio.get_running_loop().sock_recv(ours, 1)


async def reads() -> None:
    ours, theirs = socket.socketpair()
    HOLD.append(theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    HOLD.append(writer)
    await reader.readline()


def chain(coroutine) -> list[str]:
    names = []
    while coroutine is not None and hasattr(coroutine, "cr_await"):
        names.append(coroutine.__qualname__)
        coroutine = coroutine.cr_await
    return names


def tell() -> None:
    loop = asyncio.get_running_loop()
    tasks = {
        task.get_name(): {"address": id(task), "chain": chain(task.get_coro())} for task in asyncio.all_tasks(loop)
    }
    truth = {"pid": os.getpid(), "version": sys.version_info[:3], "loop": id(loop), "tasks": tasks}
    print(json.dumps(truth), flush=True)


async def main() -> None:
    lock, event, queue = asyncio.Lock(), asyncio.Event(), asyncio.Queue()
    begun = {
        "nested": nested(3),
        "holds": holds(lock),
        "waits for the lock": holds(lock),
        "event": event.wait(),
        "queue": queue.get(),
        "gather": gathers(),
        "executor": works(),
        "socket": receives(),
        "stream": reads(),
    }
    HOLD.extend([event, queue, *(asyncio.create_task(what, name=name) for name, what in begun.items())])
    for _ in range(10):
        await asyncio.sleep(0)
    BEGUN.wait()
    asyncio.get_running_loop().call_later(0.05, tell)  # when this task waits as well, and the loop has been idle
    await forever()


if __name__ == "__main__":
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())
