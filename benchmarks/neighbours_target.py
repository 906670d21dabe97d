"""The program that `neighbours.py` looks at: one of everything that an asyncio process can be stuck in.

Its parts have names that occur nowhere else, so that an output either shows them or does not. When all of them are
parked it prints one line of JSON (the port that it reads from) and its main task stays in a blocking call.
With "monitored" as argument an aiomonitor runs in it, and the line says its web port; with "acyclic" no tasks wait for
each other.
"""

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import asyncio
import contextlib
import json
import os
import socket
import threading
import time


async def chain_outer():
    await chain_second()


async def chain_second():
    await chain_third()


async def chain_third():
    await chain_fourth()


async def chain_fourth():
    await chain_inner()


async def chain_inner():
    await asyncio.get_running_loop().create_future()


async def gathers():
    await asyncio.gather(gathered_one(), gathered_two())


async def gathered_one():
    await asyncio.Event().wait()


async def gathered_two():
    await asyncio.Queue().get()


async def consumes():
    async for _ in produces():
        pass


async def produces():
    await produces_inner()
    yield


async def produces_inner():
    await asyncio.get_running_loop().create_future()


class Ticket:
    def __await__(self):
        yield from ticket_inner().__await__()


async def ticket_inner():
    await asyncio.get_running_loop().create_future()


async def uses_ticket():
    await Ticket()


async def ring_first(tasks):
    await tasks[1]


async def ring_second(tasks):
    await tasks[0]


async def stubborn(entered):
    entered.set()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.get_running_loop().create_future()
    await stubborn_inner()


async def stubborn_inner():
    await asyncio.get_running_loop().create_future()


async def hands_over(job):
    await asyncio.get_running_loop().run_in_executor(None, job)


async def has_lock(lock, entered):
    async with lock:
        entered.set()
        await asyncio.get_running_loop().create_future()


async def wants_lock(lock):
    async with lock:
        pass


async def naps():
    await asyncio.sleep(3600)


async def reads_socket(reader):
    await reader.readline()


async def elsewhere_outer(ready):
    await elsewhere_inner(ready)


async def elsewhere_inner(ready):
    ready.set()
    await asyncio.get_running_loop().create_future()


def runs_outer():
    runs_inner()


def runs_inner():
    marker = 918273645  # what shows local variables shows this
    time.sleep(3600)
    return marker


async def main(web_port):
    kept = set()

    def start(coroutine):
        task = asyncio.create_task(coroutine)
        kept.add(task)
        return task

    ready, busy = threading.Event(), threading.Event()

    def occupies_worker():
        busy.set()
        threading.Event().wait()

    threading.Thread(target=lambda: asyncio.run(elsewhere_outer(ready)), name="second", daemon=True).start()
    lock, locked, entered = asyncio.Lock(), asyncio.Event(), asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    for coroutine in (chain_outer(), gathers(), consumes(), uses_ticket(), hands_over(occupies_worker), naps()):
        start(coroutine)
    start(has_lock(lock, locked))
    await locked.wait()
    start(wants_lock(lock))
    start(reads_socket(reader))
    ring = []
    if "acyclic" not in sys.argv:
        ring += [start(ring_first(ring)), start(ring_second(ring))]
    unwilling = start(stubborn(entered))
    await entered.wait()
    unwilling.cancel()
    while not (ready.is_set() and busy.is_set()):
        await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0)
    told = {"pid": os.getpid(), "port": listener.getsockname()[1], "web_port": web_port}
    print(json.dumps(told), flush=True)
    runs_outer()
    writer.close()


async def monitored():
    import aiomonitor

    ports = []
    for _ in range(3):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(free.getsockname()[1])
    loop = asyncio.get_running_loop()
    names = ("port", "webui_port", "console_port")
    with aiomonitor.start_monitor(loop, hook_task_factory=True, **dict(zip(names, ports, strict=True))):
        await main(ports[1])


program = monitored if "monitored" in sys.argv else lambda: main(None)
asyncio.run(program())
