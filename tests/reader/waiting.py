"""A program whose tasks wait for each other: at locks, for threads, children and sockets. For CPython 3.9 and later.

It prints what it is as one JSON line and stands still, with the reporter on the stack, until a line comes on stdin.
"""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import concurrent.futures
import contextlib
import json
import os
import socket
import sys
import threading

HOLD: list[object] = []
TRUTH: dict[str, dict[str, object]] = {"locks": {}, "fds": {}, "threads": {}, "children": {}}
STUCK = threading.Event()  # never set


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


# --- locks -----------------------------------------------------------------------------------------------------------


async def enters(lock, then=forever) -> None:
    async with lock:
        await then()


async def enters_deeper(lock) -> None:
    for _ in range(1):
        try:
            await enters(lock)
        finally:
            pass


async def by_stack(lock) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(lock)
        await forever()


@contextlib.asynccontextmanager
async def guarded(lock):
    async with lock:
        yield


async def by_manager(lock) -> None:
    async with guarded(lock):
        await forever()


async def yields_within(lock):
    async with lock:
        yield 1


async def by_iteration(lock) -> None:
    async for _ in yields_within(lock):
        await forever()


async def plainly(lock) -> None:
    await lock.acquire()
    await forever()


async def lets_go(lock) -> None:
    async with lock:
        lock.release()
        await forever()


async def waits_for_notice(condition) -> None:
    async with condition:
        await condition.wait()


async def one_in_the_other(outer, inner, ready) -> None:
    async with outer:
        await ready.wait()
        async with inner:
            await forever()


async def awaits(which, ready) -> None:
    await ready.wait()
    await which()


# --- threads, children, sockets --------------------------------------------------------------------------------------


def blocks(name, started) -> None:
    TRUTH["threads"][name] = threading.get_native_id()
    started.set()
    STUCK.wait()


def works_for(future, name, started) -> None:
    """A library's own thread, that will complete a future of the loop."""
    blocks(name, started)
    future.get_loop().call_soon_threadsafe(future.set_result, None)


async def by_own_thread() -> None:
    future, started = asyncio.get_running_loop().create_future(), threading.Event()
    threading.Thread(target=works_for, args=(future, "own thread", started), daemon=True).start()
    started.wait()
    await future


async def in_pool(pool, name, started) -> None:
    await asyncio.get_running_loop().run_in_executor(pool, blocks, name, started)


async def in_other_loop() -> None:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    started = threading.Event()

    async def there() -> None:
        TRUTH["there"] = id(asyncio.current_task())
        started.set()
        await forever()

    future = asyncio.run_coroutine_threadsafe(there(), loop)
    started.wait()
    await asyncio.wrap_future(future)


async def waits_for_child(name, wait) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; sys.stdin.read()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    HOLD.append(process)
    TRUTH["children"][name] = process.pid
    TRUTH["fds"][f"{name} stdout"] = process._transport.get_pipe_transport(1).get_extra_info("pipe").fileno()
    await wait(process)


def pair(name):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    HOLD.extend((ours, theirs))
    TRUTH["fds"][name] = ours.fileno()
    return ours


async def sock_recv() -> None:
    await asyncio.get_running_loop().sock_recv(pair("sock_recv"), 1)


async def sock_sendall() -> None:
    await asyncio.get_running_loop().sock_sendall(pair("sock_sendall"), bytes(1 << 24))


async def add_reader() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.add_reader(pair("add_reader"), future.set_result, None)
    await future


async def add_writer() -> None:
    loop, full = asyncio.get_running_loop(), pair("add_writer")
    with contextlib.suppress(BlockingIOError):
        while True:
            full.send(bytes(1 << 16))
    future = loop.create_future()
    loop.add_writer(full, future.set_result, None)
    await future


async def reads_stream() -> None:
    reader, writer = await asyncio.open_connection(sock=pair("reads_stream"))
    HOLD.append(writer)
    await reader.readexactly(10)


async def drains() -> None:
    _, writer = await asyncio.open_connection(sock=pair("drains"))
    writer.write(bytes(1 << 24))
    await writer.drain()


# --- all of it -------------------------------------------------------------------------------------------------------


async def build() -> dict[str, object]:
    tasks: dict[str, asyncio.Task] = {}

    async def start(name, coroutine) -> None:
        tasks[name] = asyncio.get_running_loop().create_task(coroutine)
        for _ in range(5):
            await asyncio.sleep(0)

    def lock(name, kind=asyncio.Lock, *arguments):
        made = kind(*arguments)
        HOLD.append(made)
        TRUTH["locks"][name] = id(made)
        return made

    for name, function in (("plain", enters), ("deep", enters_deeper), ("stack", by_stack), ("manager", by_manager)):
        made = lock(name)
        await start(f"{name} holds", function(made))
        await start(f"{name} first", enters(made))
        await start(f"{name} second", made.acquire())
    made = lock("iteration")
    await start("iteration holds", by_iteration(made))
    await start("iteration first", by_manager(made))
    await start("iteration second", by_stack(made))
    made = lock("acquire")
    await start("acquire holds", plainly(made))
    await start("acquire first", enters(made))
    made = lock("let go")
    await start("let go", lets_go(made))
    made = lock("twice")
    await start("twice", enters(made, lambda: enters(made)))
    made = lock("semaphore", asyncio.Semaphore, 2)
    for name in ("semaphore one", "semaphore two", "semaphore waits"):
        await start(name, enters(made))
    made = lock("mutex", asyncio.BoundedSemaphore, 1)
    for name in ("mutex holds", "mutex waits"):
        await start(name, enters(made))
    made = lock("condition", asyncio.Condition)
    TRUTH["locks"]["of the condition"] = id(made._lock)
    await start("notice", waits_for_notice(made))
    await start("condition holds", enters(made))
    await start("condition waits", enters(made))
    await start("event", lock("event", asyncio.Event).wait())
    await start("get", lock("empty queue", asyncio.Queue).get())
    full = lock("full queue", asyncio.Queue, 1)
    full.put_nowait(1)
    await start("put", full.put(2))
    ready, left, right = asyncio.Event(), lock("left"), lock("right")
    await start("left", one_in_the_other(left, right, ready))
    await start("right", one_in_the_other(right, left, ready))
    ready.set()
    ready = asyncio.Event()
    await start("ring one", awaits(lambda: tasks["ring two"], ready))
    await start("ring two", awaits(lambda: tasks["ring one"], ready))
    ready.set()

    started, pool = threading.Event(), concurrent.futures.ThreadPoolExecutor(1)
    await start("job", in_pool(pool, "job", started))
    started.wait()
    await start("queued job", in_pool(pool, "queued job", started))
    await start("own thread", by_own_thread())
    await start("other loop", in_other_loop())
    await start("child", waits_for_child("child", lambda process: process.wait()))
    await start("child's output", waits_for_child("child's output", lambda process: process.stdout.read()))
    for function in (sock_recv, sock_sendall, add_reader, add_writer, reads_stream, drains):
        await start(function.__name__, function())
    await start("future", forever())
    while len(TRUTH["children"]) < 2 or len(TRUTH["fds"]) < 8:
        await asyncio.sleep(0.01)
    for _ in range(50):
        await asyncio.sleep(0)
    return {"pid": os.getpid(), "tasks": {name: id(task) for name, task in tasks.items()}, **TRUTH}


async def main() -> None:
    print(json.dumps(await build()), flush=True)
    sys.stdin.readline()


asyncio.run(main())
