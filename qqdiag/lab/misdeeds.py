"""Handlers that bring about what any asyncio program may fall into, and the look-alikes beside them.

Each puts a function into the configuration under "truth", which says whether it is so: the fact `as-told`.
"""

from __future__ import annotations

import asyncio
import logging.handlers
import os
import queue
import resource
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Answer = Callable[[Any, Any], Awaitable[None]]
Truth = dict[str, Any] | None
LIMIT = 100  # descriptors


def deadlocking(config: dict[str, Any]) -> Answer:
    """Holds a lock and waits for a task that waits at this lock."""

    async def answer(adapter: Any, message: Any) -> None:
        lock = asyncio.Lock()
        async with lock:
            helper = asyncio.create_task(enter(lock))
            config["truth"] = lambda: {"same": id(helper)} if lock.locked() and lock._waiters else None
            await helper

    return answer


def queueing(config: dict[str, Any]) -> Answer:
    """Holds a lock while something takes its time, with others at the lock; the wait is for no task of them."""

    async def answer(adapter: Any, message: Any) -> None:
        lock, something = asyncio.Lock(), asyncio.Event()
        async with lock:
            config["kept"] = [asyncio.create_task(enter(lock)) for _ in range(3)]
            config["truth"] = lambda: {"waiting": len(lock._waiters or ())} if len(lock._waiters or ()) == 3 else None
            await something.wait()

    return answer


def losing(config: dict[str, Any]) -> Answer:
    """Waits for a future that nobody else knows of."""

    async def answer(adapter: Any, message: Any) -> None:
        config["truth"] = lambda: {"same": 0}
        await asyncio.get_running_loop().create_future()

    return answer


def keeping(config: dict[str, Any]) -> Answer:
    """Waits for a future that somebody keeps, who may complete it."""

    async def answer(adapter: Any, message: Any) -> None:
        config["kept"] = kept = asyncio.get_running_loop().create_future()
        config["truth"] = lambda: None if config["kept"].done() else {"same": id(config["kept"])}
        await kept

    return answer


def _fill(config: dict[str, Any], jobs: int) -> Answer:
    """Hands `jobs` that do not end to a default pool of two threads."""

    async def answer(adapter: Any, message: Any) -> None:
        loop, pool, stuck = asyncio.get_running_loop(), ThreadPoolExecutor(2), threading.Event()
        loop.set_default_executor(pool)
        waiting = pool._work_queue
        config["kept"] = [asyncio.create_task(work(stuck)) for _ in range(jobs)]
        config["truth"] = lambda: (
            {"queued": jobs - 2} if waiting.qsize() == jobs - 2 and len(pool._threads) == 2 else None
        )
        await asyncio.gather(*config["kept"])

    return answer


async def work(stuck: threading.Event) -> None:
    await asyncio.to_thread(stuck.wait)


def filling(config: dict[str, Any]) -> Answer:
    """More jobs than threads."""
    return _fill(config, 3)


def using(config: dict[str, Any]) -> Answer:
    """As many jobs as threads."""
    return _fill(config, 2)


def opening(config: dict[str, Any]) -> Answer:
    """Takes every descriptor that there is."""

    async def answer(adapter: Any, message: Any) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        kept: list[int] = []
        try:
            while True:
                kept.append(os.dup(0))
        except OSError as error:
            errno = error.errno
        config["truth"] = lambda: {"opened": len(kept), "errno": errno}

    return answer


def sharing(config: dict[str, Any]) -> Answer:
    """Takes most of them."""

    async def answer(adapter: Any, message: Any) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        kept = [os.dup(0)]
        while kept[-1] < LIMIT * 0.8:
            kept.append(os.dup(0))
        config["truth"] = lambda: {"opened": len(kept)}

    return answer


def spinning(config: dict[str, Any]) -> Answer:
    """Yields, and is ready again at once."""

    async def answer(adapter: Any, message: Any) -> None:
        turns = 0
        done = asyncio.Event()

        def truth() -> Truth:
            return {"turns": turns} if turns > 1000 else None

        config["truth"] = truth
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    return answer


def _logging(config: dict[str, Any], *, read: bool) -> Answer:
    """Logs through a queue, whose thread writes to a pipe; nobody else reads the pipe but a thread, with `read`."""

    async def answer(adapter: Any, message: Any) -> None:
        reader, writer = os.pipe()
        lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        handler = logging.StreamHandler(os.fdopen(writer, "w", encoding="utf-8"))
        config["kept"] = listener = logging.handlers.QueueListener(lines, handler)
        config["pipe"] = reader
        listener.start()
        if read:
            threading.Thread(target=drain, args=(reader,), daemon=True).start()
        logger = logging.getLogger("of-the-handler")
        logger.propagate = False
        logger.addHandler(logging.handlers.QueueHandler(lines))
        for _ in range(100):
            logger.warning("." * 4096)
        config["truth"] = lambda: {"same": lines.qsize()} if (lines.qsize() == 0) == read else None

    return answer


def drain(fd: int) -> None:
    while os.read(fd, 65536):
        pass


def logging_to_pipe(config: dict[str, Any]) -> Answer:
    """Nobody reads the log."""
    return _logging(config, read=False)


def logging_read(config: dict[str, Any]) -> Answer:
    """Somebody does."""
    return _logging(config, read=True)


async def enter(lock: asyncio.Lock) -> None:
    async with lock:
        await asyncio.sleep(0)


MISDEEDS: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "deadlocking": deadlocking,
    "queueing": queueing,
    "losing": losing,
    "keeping": keeping,
    "filling": filling,
    "using": using,
    "opening": opening,
    "sharing": sharing,
    "spinning": spinning,
    "logging-to-pipe": logging_to_pipe,
    "logging-read": logging_read,
}
