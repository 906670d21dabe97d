"""Handlers that bring about what any asyncio program may fall into, and the look-alikes beside them.

Each puts a function into the configuration under "truth", which says whether it is so: the fact `as-told`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Answer = Callable[[Any, Any], Awaitable[None]]
Truth = dict[str, Any] | None
DAY = 86400.0


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


async def enter(lock: asyncio.Lock) -> None:
    async with lock:
        await asyncio.sleep(0)


MISDEEDS: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "deadlocking": deadlocking,
    "queueing": queueing,
}
