"""A program with one task of every kind. It prints what it is as one JSON line, then stands still.

The reporter task is on the stack while the line is read, so that nothing moves; a line on stdin lets the loop go idle,
a second one ends the program. With `spin` another loop burns a processor, with `eager` another is
blocked in an eager task (3.12), with `trace` all runs traced, with `aiohttp` there are tasks of aiohttp's too. For
CPython 3.9 and later.
"""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import builtins
import functools
import gc
import json
import os
import socket
import ssl
import sys
import threading
import time
import types

HOLD: list[object] = []


def traced(frame: types.FrameType, event: str, argument: object) -> object:
    return traced


# --- what is waited in -----------------------------------------------------------------------------------------------


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def nested(depth: int) -> None:
    if depth:
        await nested(depth - 1)
    else:
        await asyncio.sleep(3600)


class ByGenerator:
    def __await__(self):
        yield from asyncio.get_running_loop().create_future().__await__()


class ByCoroutine:
    def __await__(self):
        return forever().__await__()


class ByContext:
    """As aiohttp's request context manager: an awaitable that holds a coroutine."""

    def __init__(self) -> None:
        self._coro = forever()

    def __await__(self):
        return self._coro.__await__()


class Wrapped(ByContext):
    """A coroutine by its methods, good enough for create_task."""

    def send(self, value):
        return self._coro.send(value)

    def throw(self, *error):
        return self._coro.throw(*error)

    def close(self):
        return self._coro.close()


async def awaits(thing) -> None:
    await thing


@types.coroutine
def old_style():
    yield from asyncio.get_running_loop().create_future()


@types.coroutine
def plain_yield():
    yield


def decorated(function):
    @functools.wraps(function)
    async def inner():
        await function()

    return inner


@decorated
async def renamed() -> None:
    await forever()


async def numbers():
    try:
        yield 1
        await forever()
        yield 2
    finally:
        await forever()


async def in_async_generator() -> None:
    async for _ in numbers():
        pass


async def in_anext() -> None:
    generator = numbers()
    HOLD.append(generator)
    await generator.__anext__()
    await (anext(generator, None) if "anext" in dir(builtins) else generator.__anext__())


async def in_aclose() -> None:
    generator = numbers()
    HOLD.append(generator)
    await generator.__anext__()
    await generator.aclose()


async def in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(forever(), name="member")


async def in_timeout() -> None:
    async with asyncio.timeout(3000):
        await forever()


async def in_lock(lock) -> None:
    async with lock:
        await forever()


async def in_condition(condition) -> None:
    async with condition:
        await condition.wait()


async def fails() -> None:
    raise ValueError("told you")


async def swallows() -> None:
    try:
        await forever()
    except asyncio.CancelledError:
        await forever()


async def spins_by_yielding() -> None:
    while True:
        await plain_yield()


async def in_socket(loop) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    HOLD.append(theirs)
    await loop.sock_recv(ours, 1)


async def in_drain() -> None:
    ours, theirs = socket.socketpair()
    HOLD.append(theirs)
    _, writer = await asyncio.open_connection(sock=ours)
    writer.write(bytes(1 << 22))
    await writer.drain()


async def in_read() -> None:
    ours, theirs = socket.socketpair()
    HOLD.append(theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    HOLD.append(writer)
    await reader.readline()


async def in_handshake() -> None:
    ours, theirs = socket.socketpair()
    HOLD.append(theirs)
    context = ssl.create_default_context()
    await asyncio.open_connection(sock=ours, ssl=context, server_hostname="localhost", ssl_handshake_timeout=2000)


async def in_subprocess() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; sys.stdin.read()", stdin=asyncio.subprocess.PIPE
    )
    HOLD.append(process)
    await process.wait()


async def in_python_future() -> None:
    await asyncio.futures._PyFuture(loop=asyncio.get_running_loop())


class OwnTask(asyncio.Task):
    pass


class ShoutingTask(asyncio.Task):
    __slots__ = ("volume",)


# --- the second loop -------------------------------------------------------------------------------------------------


def spin(started: threading.Event) -> None:
    started.set()
    while True:
        pass


def block(started: threading.Event) -> None:
    started.set()
    time.sleep(3600)


def eager(started: threading.Event) -> None:
    block(started)


async def runs(what, started) -> None:
    await runs_deeper(what, started)


async def runs_deeper(what, started) -> None:
    what(started)


def second_loop(what, started: threading.Event) -> None:
    async def main() -> None:
        if what is eager:  # its task is blocked in its first step, while the one that made it is on the stack too
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await asyncio.gather(asyncio.create_task(runs(what, started), name=f"runs {what.__name__}"))

    if "trace" in sys.argv:
        sys.settrace(traced)
    asyncio.run(main())


# --- aiohttp ---------------------------------------------------------------------------------------------------------


async def start_aiohttp() -> bool:
    try:
        from aiohttp import ClientSession, web
    except ImportError:
        return False

    async def handler(request):
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        async for _ in answer:
            pass

    async def slow(request):
        await forever()

    app = web.Application()
    app.router.add_get("/ws", handler)
    app.router.add_get("/slow", slow)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    session = ClientSession()
    HOLD.extend((runner, session))
    websocket = await session.ws_connect(f"{url}/ws")

    async def receives():
        await websocket.receive()

    async def requests():
        async with session.get(f"{url}/slow") as answer:
            await answer.read()

    async def requests_plainly():
        await session.get(f"{url}/slow")

    for function in (receives, requests, requests_plainly):
        HOLD.append(asyncio.create_task(function(), name=function.__name__))
    for _ in range(50):
        await asyncio.sleep(0.01)
    return True


# --- the truth -------------------------------------------------------------------------------------------------------

WRAPPERS = ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "FutureIter", "anext_awaitable")


def awaited(thing):
    """What `thing` awaits, as the interpreter itself says; through C's wrappers by the garbage collector's edges."""
    for name in ("cr_await", "gi_yieldfrom", "ag_await"):
        if hasattr(thing, name):
            return getattr(thing, name)
    if type(thing).__name__ in WRAPPERS:
        for other in gc.get_referents(thing):
            if hasattr(other, "cr_await") or hasattr(other, "ag_await") or hasattr(other, "gi_yieldfrom"):
                return other
            if asyncio.isfuture(other) or type(other).__name__ in WRAPPERS:
                return other
    if isinstance(thing, ByContext):
        return thing._coro
    return None


def level(thing) -> dict[str, object]:
    code = next((getattr(thing, n) for n in ("cr_code", "gi_code", "ag_code") if hasattr(thing, n)), None)
    frame = next((getattr(thing, n) for n in ("cr_frame", "gi_frame", "ag_frame") if hasattr(thing, n)), None)
    return {
        "address": id(thing),
        "type": type(thing).__qualname__,
        "qualname": getattr(thing, "__qualname__", None),
        "path": code.co_filename if code else None,
        "line": frame.f_lineno if frame else None,
        "cython": type(thing).__module__.startswith("_cython_"),
        "locals": {name: type(value).__qualname__ for name, value in frame.f_locals.items()} if frame else None,
    }


def chain(task) -> list[dict[str, object]]:
    levels, thing = [], task.get_coro()
    while thing is not None and len(levels) < 100:
        levels.append(level(thing))
        thing = awaited(thing)
    return levels


def describe(task) -> dict[str, object]:
    done = task.done()
    failed = done and not task.cancelled() and task._exception is not None
    waiter = task._fut_waiter
    return {
        "address": id(task),
        "name": task.get_name(),
        "type": type(task).__qualname__,
        "state": "cancelled" if task.cancelled() else "failed" if failed else "finished" if done else "pending",
        "exception": type(task._exception).__qualname__ if failed else None,
        "cancelling": task.cancelling() if hasattr(task, "cancelling") else int(task._must_cancel),  # since 3.11
        "waiter": id(waiter) if waiter is not None else None,
        "loop": id(task.get_loop()),
        "awaited_by": sorted(map(id, task._asyncio_awaited_by or ())) if hasattr(task, "_asyncio_awaited_by") else None,
        "chain": [] if done else chain(task),
    }


def timers(loop) -> list[list[object]]:
    alive = (handle for handle in loop._scheduled if not handle.cancelled())
    return sorted([float(h.when()), getattr(h._callback, "__qualname__", "")] for h in alive)


def transports(loop) -> dict[str, list[object]]:
    return {
        str(fd): [id(t), type(t).__qualname__, type(t._protocol).__qualname__, t.get_write_buffer_size()]
        for fd, t in loop._transports.items()
    }


def report(loop, extra: dict[str, object]) -> None:
    truth = {
        "pid": os.getpid(),
        "version": list(sys.version_info[:3]),
        "loop": id(loop),
        "tasks": [describe(task) for task in extra.pop("tasks")],
        "timers": timers(loop),
        "transports": transports(loop),
        "epoll": loop._selector._selector.fileno(),
        "now": time.monotonic(),
        **extra,
    }
    print(json.dumps(truth), flush=True)
    sys.stdin.readline()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def build(loop) -> dict[str, object]:
    """Start everything that is listed in the module's docstring; what the test needs to know of it comes back."""

    def start(coroutine, name, **options):
        task = asyncio.create_task(coroutine, name=name, **options) if name else asyncio.create_task(coroutine)
        HOLD.append(task)
        return task

    lock, condition, queue, full = asyncio.Lock(), asyncio.Condition(), asyncio.Queue(), asyncio.Queue(1)
    full.put_nowait(1)
    leaf = start(forever(), "leaf")
    start(forever(), None)
    start(nested(5), "nested")
    for name in ("plain", "größer", "任务 7", "🐍 task", "a\x1b[31mred\x00", "x" * 300):
        start(forever(), name)
    start(awaits(asyncio.gather(leaf, asyncio.sleep(1000))), "gather")
    start(awaits(asyncio.shield(leaf)), "shield")
    start(asyncio.wait([leaf, start(forever(), "other")], return_when="FIRST_COMPLETED"), "wait")
    start(asyncio.wait_for(forever(), 2500), "wait_for")
    start(awaits(leaf), "waits for a task")
    if hasattr(asyncio, "TaskGroup"):
        start(in_group(), "group")
        start(in_timeout(), "timeout")
    start(in_lock(lock), "holds the lock")
    start(in_lock(lock), "waits for the lock")
    start(asyncio.Event().wait(), "event")
    start(in_condition(condition), "condition")
    start(queue.get(), "queue get")
    start(full.put(2), "queue put")
    start(asyncio.Semaphore(0).acquire(), "semaphore")
    start(in_async_generator(), "async generator")
    start(in_anext(), "anext")
    start(in_aclose(), "aclose")
    start(awaits(ByGenerator()), "awaitable by generator")
    start(awaits(ByCoroutine()), "awaitable by coroutine")
    start(awaits(ByContext()), "awaitable by context")
    start(awaits(old_style()), "types.coroutine")
    start(renamed(), "renamed")
    start(awaits(loop.run_in_executor(None, time.sleep, 3600)), "executor")
    start(in_socket(loop), "socket")
    start(in_drain(), "drain")
    start(in_read(), "read")
    start(in_handshake(), "handshake")
    start(in_subprocess(), "subprocess")
    start(in_python_future(), "python future")
    start(spins_by_yielding(), "spins by yielding")
    HOLD.append(OwnTask(forever(), name="own task"))
    HOLD.append(ShoutingTask(forever(), name="slotted task"))
    HOLD.append(asyncio.tasks._PyTask(forever(), loop=loop, name="python task"))
    HOLD.append(asyncio.tasks._PyTask(in_python_future(), loop=loop, name="python task and future"))
    start(asyncio.sleep(0), "finished")
    fetched = start(fails(), "failed and fetched")
    start(fails(), "failed")
    cancelled = start(forever(), "cancelled")
    swallowing = start(swallows(), "swallows its cancellation")
    await settle()
    fetched.exception()
    cancelled.cancel()
    swallowing.cancel()
    await settle()
    return {"leaf": id(leaf)}


async def main() -> None:
    loop = asyncio.get_running_loop()
    asyncio.current_task().set_name("reporter")
    for what in [block, *(what for what in (spin, eager) if what.__name__ in sys.argv)]:
        started = threading.Event()
        threading.Thread(target=second_loop, args=(what, started), daemon=True, name=what.__name__).start()
        await asyncio.to_thread(started.wait)
    has_aiohttp = "aiohttp" in sys.argv and await start_aiohttp()
    extra = await build(loop)
    HOLD.append(asyncio.Task(Wrapped(), name="wrapped"))
    loop.call_later(5000, print, "an int", None)
    loop.call_at(int(loop.time()) + 4000, print)
    loop.call_later(4500, print, "cancelled").cancel()
    await settle()
    HOLD.append(asyncio.create_task(forever(), name="not started"))
    doomed = asyncio.create_task(forever(), name="cancelled before its start")
    doomed.cancel()
    HOLD.append(doomed)
    report(loop, {**extra, "aiohttp": has_aiohttp, "tasks": asyncio.all_tasks() | set(held_tasks())})
    for task in HOLD:
        if getattr(task, "get_name", str)() == "spins by yielding":
            task.cancel()
    print("idle", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    os._exit(0)


def held_tasks() -> list[object]:
    """Those that `all_tasks` leaves out: done ones, and since 3.14 those of Python's own class."""
    return [task for task in HOLD if hasattr(task, "get_coro")]


if __name__ == "__main__":
    if "trace" in sys.argv:
        sys.settrace(traced)
    asyncio.run(main())
