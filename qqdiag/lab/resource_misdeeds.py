"""Handlers that take what the machine has, memory and disks, and the look-alikes beside them.

As in misdeeds.py, each says under "truth" whether it is so. What is taken is bounded.
"""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
import threading
from collections.abc import Awaitable, Callable
from typing import Any

Answer = Callable[[Any, Any], Awaitable[None]]
STALLED = "/mnt/stalled"  # stalled_files.FILE
PIECE = 600_000  # bytes
EVERY = 0.05  # seconds
PIECES = 180  # 108 MB in all, after 9 s and more
ROOM = 113 << 20  # bytes that it may take in all


def hoarding(config: dict[str, Any]) -> Answer:
    """Puts into a list what nobody takes out, up to nearly all that it may have."""

    async def answer(adapter: Any, message: Any) -> None:
        limit_memory()
        config["kept"] = kept = list[bytearray]()
        config["truth"] = lambda: {"pieces": len(kept)} if len(kept) > 3 else None
        while len(kept) < PIECES:
            kept.append(bytearray(os.urandom(4096) * (PIECE // 4096)))
            await asyncio.sleep(EVERY)

    return answer


def reusing(config: dict[str, Any]) -> Answer:
    """Takes up to 40 MB and gives them back, again and again; 40 MB it keeps."""

    async def answer(adapter: Any, message: Any) -> None:
        limit_memory()
        config["kept"], rounds = bytearray(os.urandom(4096) * 10_000), 0
        config["truth"] = lambda: {"rounds": rounds} if rounds else None
        while True:
            work = [bytearray(os.urandom(4096) * 2500)]
            for _ in range(3):
                await asyncio.sleep(EVERY)
                work.append(bytearray(os.urandom(4096) * 2500))
            await asyncio.sleep(EVERY)
            rounds += 1

    return answer


def limit_memory() -> None:
    """A limit of its own (RLIMIT_DATA), so that how much the machine has does not matter."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        held = next(int(line.split()[1]) for line in file if line.startswith("VmData:")) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (held + ROOM, held + ROOM))


def reading_stalled(config: dict[str, Any]) -> Answer:
    """Reads on the event loop."""

    async def answer(adapter: Any, message: Any) -> None:
        read_stalled()

    return answer


def reading_stalled_aside(config: dict[str, Any]) -> Answer:
    """Reads in a thread."""

    async def answer(adapter: Any, message: Any) -> None:
        aside = threading.Thread(target=read_stalled, name="reader", daemon=True)
        aside.start()
        config["truth"] = lambda: {"same": aside.native_id} if aside.native_id else None

    return answer


def read_stalled() -> None:
    with open(STALLED, "rb", buffering=0) as file:
        file.read(1)


def syncing_stalled(config: dict[str, Any]) -> Answer:
    """Writes, and waits on the event loop until it is on the disk."""

    async def answer(adapter: Any, message: Any) -> None:
        fd = os.open(STALLED, os.O_RDWR)
        os.write(fd, b"state")
        os.fsync(fd)

    return answer


def syncing(config: dict[str, Any]) -> Answer:
    """A thread writes to a file of a disk that answers, and waits for it each time."""

    async def answer(adapter: Any, message: Any) -> None:
        done = [0]
        config["truth"] = lambda: {"syncs": done[0]} if done[0] > 3 else None
        threading.Thread(target=sync_often, args=(done,), name="writer", daemon=True).start()

    return answer


def sync_often(done: list[int]) -> None:
    with tempfile.TemporaryFile() as file:
        pause = threading.Event()
        while not pause.wait(0.005):
            os.pwrite(file.fileno(), b"." * 4096, 0)
            os.fsync(file.fileno())
            done[0] += 1


RESOURCE_MISDEEDS: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "hoarding": hoarding,
    "reusing": reusing,
    "reading-stalled": reading_stalled,
    "reading-stalled-aside": reading_stalled_aside,
    "syncing-stalled": syncing_stalled,
    "syncing": syncing,
}
