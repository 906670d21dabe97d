"""What the lab's gateway does with a message: an echo, or the handler that brings a failure about.

Each makes a model for one adapter; the next message of a user sets it going.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from qqdiag.fixes.adapter import Adapter, Model
from qqdiag.fixes.protocol import Incoming
from qqdiag.lab.misdeeds import MISDEEDS
from qqdiag.lab.resource_misdeeds import RESOURCE_MISDEEDS

DAY = 86400.0


def echo(config: dict[str, Any]) -> Model:
    async def answer(adapter: Adapter, message: Incoming) -> str:
        return f"you said {message.content}"

    return answer


def sleeping(config: dict[str, Any]) -> Model:
    """A synchronous call on the event loop: the classic."""

    async def answer(adapter: Adapter, message: Incoming) -> None:
        time.sleep(DAY)

    return answer


def writing_to_pipe(config: dict[str, Any]) -> Model:
    """A write to a pipe that nobody reads, as of a log handler whose consumer died."""

    async def answer(adapter: Adapter, message: Incoming) -> None:
        reader, writer = os.pipe()
        while os.write(writer, b"." * 65536):
            config["pipe"] = reader

    return answer


def cancelling(config: dict[str, Any]) -> Model:
    """The listener is cancelled, by whom does not matter; later messages are not read by anyone."""

    async def answer(adapter: Adapter, message: Incoming) -> None:
        if adapter.listening is not None:
            adapter.listening.cancel()

    return answer


def flooding(config: dict[str, Any]) -> Model:
    """Sends more on the WebSocket than the peer reads."""

    async def answer(adapter: Adapter, message: Incoming) -> None:
        while adapter.ws is not None:
            await adapter.ws.send_bytes(b"." * 65536)

    return answer


def waiting(config: dict[str, Any]) -> Model:
    """Asks a model API that takes its time."""

    async def answer(adapter: Adapter, message: Incoming) -> str:
        timeout = aiohttp.ClientTimeout(total=None)
        tls = adapter.account.tls or True
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{adapter.account.api}/model", json={"prompt": message.content}, ssl=tls) as response,
        ):
            return str((await response.json())["answer"])

    return answer


def working(config: dict[str, Any]) -> Model:
    """Burns about 70 % of a core, and lets the loop run in between."""
    last = time.monotonic()

    async def answer(adapter: Adapter, message: Incoming) -> None:
        nonlocal last
        # In proportion to the time that went by, so that a slow machine is not driven to saturation.
        end = time.thread_time() + min(0.05, 2.3 * (time.monotonic() - last))
        while time.thread_time() < end:
            pass
        last = time.monotonic()

    return answer


def pooling(config: dict[str, Any]) -> Model:
    """Leaves idle connections in the pool of an httpx client, which notices their end at its next request only."""
    import httpx

    async def answer(adapter: Adapter, message: Incoming) -> None:
        tls = ssl.create_default_context(cafile=config["pem"])
        client = config["client"] = httpx.AsyncClient(verify=tls)
        for url in config["pools"]:
            await client.get(f"{url}/idle")
        config["pooled"] = len(config["pools"])

    return answer


MODELS: dict[str, Callable[[dict[str, Any]], Model]] = {
    "echo": echo,
    "sleeping": sleeping,
    "writing-to-pipe": writing_to_pipe,
    "cancelling": cancelling,
    "flooding": flooding,
    "waiting": waiting,
    "working": working,
    "pooling": pooling,
    **MISDEEDS,
    **RESOURCE_MISDEEDS,
}
