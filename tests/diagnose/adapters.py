"""A gateway whose adapter a profile knows: a class of the same name and module, with the same attributes.

Run as `python adapters.py NAME PORT`. It says `ready` on stdout once it is in its state and then stays in it.
"""

from __future__ import annotations

import asyncio
import sys
import types
from typing import Any

PORT = int(sys.argv[2])
MODULE = "gateway.platforms.qqbot.adapter"
INTERVAL = 0.2  # seconds between heartbeats


class QQAdapter:
    """A listener, heartbeats, and a send that waits for the connection."""

    def __init__(self, session: str | None, beats: int | None, broken: bool) -> None:
        self._running = True
        self._session_id = session
        self._heartbeat_interval = INTERVAL
        self._beats = beats  # so many, then the task ends; None: for ever
        self._broken = broken  # the listener ends and the connection with it
        self._fatal_error_code: str | None = None
        self._ws: Any = None

    async def begin(self) -> None:
        import aiohttp

        self._http = aiohttp.ClientSession()
        self._ws = await self._http.ws_connect(f"http://127.0.0.1:{PORT}/echo")
        self._heartbeat_task = asyncio.create_task(self._heartbeat_loop())
        self._listen_task = asyncio.create_task(self._listen_loop())
        if self._beats is not None:
            await self._heartbeat_task
        if self._broken:
            await self._listen_task

    async def _listen_loop(self) -> None:
        while self._running:
            await self._ws.receive()
            if self._broken:
                await self._ws.close()
                return

    async def _heartbeat_loop(self) -> None:
        count = 0
        while self._beats is None or count < self._beats:
            count += 1
            await self._ws.send_str("beat")
            await asyncio.sleep(INTERVAL)

    async def send(self) -> None:
        if self._ws.closed:
            await self._wait_for_reconnection()

    async def _wait_for_reconnection(self) -> bool:
        while self._ws.closed:
            await asyncio.sleep(0.5)
        return True


QQAdapter.__module__ = MODULE
STATES: dict[str, dict[str, Any]] = {
    "beating": {"session": "s", "beats": None, "broken": False},
    "heartbeat-dead": {"session": "s", "beats": 2, "broken": False},
    "not-ready": {"session": None, "beats": None, "broken": False},
    "send-waiting": {"session": "s", "beats": 1, "broken": True},
}


async def main(name: str) -> None:
    adapter = QQAdapter(**STATES[name])
    await adapter.begin()
    sending = asyncio.create_task(adapter.send())
    await asyncio.sleep(0.1)  # until the send waits, or is done
    assert sending.done() == (name != "send-waiting")
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.modules[MODULE] = types.ModuleType(MODULE)
    asyncio.run(main(sys.argv[1]))
