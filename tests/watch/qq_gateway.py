"""A gateway whose adapter has the names of hermes' own, and whose log has its words.

    python qq_gateway.py PORT FOLDER

It is as the service makes it (qq_service.py), but for two failures of its own, which the file FOLDER/failure names.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import types
from pathlib import Path
from typing import Any

import aiohttp

MODULE = "gateway.platforms.qqbot.adapter"
BEAT = 0.2  # seconds between heartbeats
LONG, SHORT = 600.0, 2.0  # seconds between two attempts to connect: after many that failed, and at first
HANDSHAKE = 60.0  # seconds that a handshake may take
log = logging.getLogger(MODULE)


def say(text: str) -> None:
    log.info("[QQBot:1] %s", text)


class QQAdapter:
    """A listener that connects anew, heartbeats, and a send that waits for the connection."""

    def __init__(self, port: int, failure: Path) -> None:
        self._url, self._failure = f"http://127.0.0.1:{port}/", failure
        self._running = True
        self._ws: Any = None
        self._session_id: str | None = None
        self._last_seq: int | None = None
        self._heartbeat_interval = BEAT
        self._fatal_error_code: str | None = None

    async def begin(self) -> None:
        self._http = aiohttp.ClientSession()
        self._heartbeat_task = asyncio.create_task(self._heartbeat_loop())
        self._listen_task = asyncio.create_task(self._listen_loop())
        self._sending = asyncio.create_task(self.send())

    async def _listen_loop(self) -> None:
        while self._fatal_error_code is None:
            try:
                async with asyncio.timeout(HANDSHAKE):
                    self._ws = await self._http.ws_connect(self._url)
            except (aiohttp.ClientError, TimeoutError) as error:
                say(f"Reconnect failed: {type(error).__name__}")
                pause = LONG if self._fails("reconnecting") else SHORT
                say(f"Reconnecting in {pause:.0f}s (attempt 1)...")
                await asyncio.sleep(pause)
                continue
            say(f"WebSocket connected to {self._url}")
            await self._read()

    async def _read(self) -> None:
        await self._begin_session()
        while (message := await self._ws.receive()).type is aiohttp.WSMsgType.TEXT:
            said = json.loads(message.data)
            if said["op"] == "READY":
                self._session_id = "s"
                say("Ready, session_id=s")
            if said["op"] == "RESUMED":
                say("Session resumed")
        code = self._ws.close_code
        say(f"WebSocket closed: code={code} reason=x")
        if code == 4914:
            self._fatal_error_code = "qq_offline/sandbox-only"
            say("Bot is offline/sandbox-only. Check QQ Open Platform.")
        if code == 4009 and self._fails("events-lost"):  # as of old: it may be resumed
            self._session_id = None
            say("Session error (4009), clearing session for re-identify")

    async def _begin_session(self) -> None:
        if self._session_id is None:
            await self._ws.send_json({"op": "IDENTIFY"})
            say("Identify sent")
        else:
            await self._ws.send_json({"op": "RESUME"})
            say("Resume sent (session_id=s, seq=1)")

    def _fails(self, how: str) -> bool:
        return self._failure.read_text() == how

    async def _heartbeat_loop(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            if self._ws is not None and not self._ws.closed:
                await self._ws.send_json({"op": "BEAT"})
                if self._fails("heartbeat-dead"):
                    self._failure.write_text("")  # it was a moment's
                    return

    async def send(self) -> None:
        if self._ws is None or self._ws.closed:
            await self._wait_for_reconnection()

    async def _wait_for_reconnection(self) -> bool:
        while self._ws is None or self._ws.closed:
            await asyncio.sleep(BEAT)
        return True


async def main(port: int, folder: Path) -> None:
    adapter = QQAdapter(port, folder / "failure")
    await adapter.begin()
    print("begun", flush=True)
    await asyncio.Event().wait()


QQAdapter.__module__ = MODULE
if __name__ == "__main__":
    sys.modules[MODULE] = types.ModuleType(MODULE)
    here = Path(sys.argv[2])
    (here / "logs").mkdir(exist_ok=True)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, filename=here / "logs" / "agent.log", format=form)
    asyncio.run(main(int(sys.argv[1]), here))
