"""A client of the lab's platform, for tests: it does what it is told, and no more."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp

from qqdiag.fixes.bounded_close import transport_of
from qqdiag.lab.control import Server

TOKEN = "QQBot lab-token"
Client = Callable[[Server, aiohttp.ClientSession], Awaitable[None]]


def play(server: Server, client: Client) -> None:
    """Run a client of the platform."""

    async def run() -> None:
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=server.pem) if server.pem else True)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20)) as session:
            await client(server, session)
        await ended()

    asyncio.run(run())


async def ended() -> None:
    """aiohttp lets go of a transport without waiting for its end, and the loop would be gone before it."""
    transports = list(asyncio.get_running_loop()._transports.values())  # type: ignore[attr-defined]
    async with asyncio.timeout(5.0):
        while any(transport.get_extra_info("socket").fileno() != -1 for transport in transports):
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def connected(server: Server, session: aiohttp.ClientSession) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with session.get(f"{server.url}/gateway", headers={"Authorization": TOKEN}) as response:
        url = (await response.json())["url"]
    timeout = aiohttp.ClientWSTimeout(ws_close=1.0)
    async with session.ws_connect(url, autoping=False, timeout=timeout) as ws:
        transport = transport_of(ws)
        assert transport is not None
        try:
            yield ws
        finally:
            transport.abort()


async def identify(ws: aiohttp.ClientWebSocketResponse) -> str:
    """Up to READY; answers the session id."""
    assert (await ws.receive_json())["op"] == 10
    await ws.send_json({"op": 2, "d": {"token": TOKEN, "intents": 1 << 25, "shard": [0, 1]}})
    ready = await ws.receive_json()
    assert (ready["op"], ready["s"], ready["t"]) == (0, 1, "READY")
    return str(ready["d"]["session_id"])


async def told(server: Server, method: str, *arguments: Any, **faults: Any) -> None:
    """Throw a switch while the client's loop goes on."""
    await asyncio.to_thread(getattr(server, method), *arguments, **faults)
