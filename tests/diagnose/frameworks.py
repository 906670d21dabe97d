"""Two bot frameworks that nobody knows, one on aiohttp and one on websockets, each hung in one chosen way.

Run as `python frameworks.py LIBRARY WAY`. It says `here` on stdout, takes the server's host and port in a line on
stdin, and says `ready` once it is in its state, or about to enter it, where it stays.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

LIBRARY, WAY = sys.argv[1:3]
BEAT = 0.3  # seconds between two beats
PATHS = {"close-hang": "/chatter" if LIBRARY == "aiohttp" else "/deaf", "write-stuck": "/deaf", "half-open": "/echo"}
PATHS |= {"hot-loop": "/leave", "dead-listener": "/", "missing-ack": "/deaf", "idle": "/echo"}
PATIENCE = 16.0  # seconds for a PONG


def say(text: str) -> None:
    print(text, flush=True)


class Rope:
    """A connection by aiohttp."""

    async def tie(self, address: str) -> None:
        import aiohttp

        class Patient(aiohttp.ClientWebSocketResponse):
            """Waits longer for a PONG than half of the time between two PINGs."""

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self._pong_heartbeat = PATIENCE

        self.room = aiohttp.ClientSession(ws_response_class=Patient)
        limits = aiohttp.ClientWSTimeout(ws_close=0.5)
        beat = BEAT if WAY == "missing-ack" else None
        self.end = await self.room.ws_connect(f"http://{address}", timeout=limits, heartbeat=beat)

    async def pull(self) -> str | None:
        if self.end.closed:
            return None
        return str((await self.end.receive()).data)

    async def push(self, text: str) -> None:
        await self.end.send_str(text)

    async def cut(self) -> None:
        await self.end.close()

    def waiting(self) -> int:
        """Bytes that the transport could not send."""
        transport: Any = self.end._writer.transport if self.end._writer else None
        return int(transport.get_write_buffer_size())

    def unanswered(self) -> bool:
        """Whether PINGs wait for their PONG."""
        return self.end._pong_response_cb is not None


class Chain:
    """A connection by websockets."""

    async def tie(self, address: str) -> None:
        from websockets.asyncio.client import connect

        beat = BEAT if WAY == "missing-ack" else None
        limits: dict[str, Any] = {"close_timeout": None, "ping_interval": beat, "ping_timeout": None}
        self.link = await connect(f"ws://{address}", compression=None, **limits)

    async def pull(self) -> str | None:
        from websockets.exceptions import ConnectionClosed

        try:
            return str(await self.link.recv())
        except ConnectionClosed:
            return None

    async def push(self, text: str) -> None:
        await self.link.send(text)

    async def cut(self) -> None:
        await self.link.close()

    def waiting(self) -> int:
        return int(self.link.transport.get_write_buffer_size())

    def unanswered(self) -> bool:
        return len(self.link.pending_pings) >= 2


class Puppet:
    """The bot: pulls, and does something with what it gets."""

    def __init__(self) -> None:
        self.line: Rope | Chain = Rope() if LIBRARY == "aiohttp" else Chain()
        self.ear: asyncio.Task[None] | None = None
        self.strings: list[asyncio.Task[Any]] = []

    async def dance(self) -> None:
        while True:
            await self.bow(await self.line.pull())

    async def bow(self, text: str | None) -> None:
        if text is None:
            return
        if WAY == "dead-listener":
            say("ready")
            raise ValueError(text)
        if WAY == "close-hang":
            say("ready")
            await self.line.cut()
        elif WAY == "loop-blocked":
            say("ready")
            time.sleep(3600)
        elif WAY == "await-deadlock":
            await self.tangle()
        elif WAY == "write-stuck":
            self.strings.append(asyncio.create_task(self.watch()))
            while True:
                await self.line.push("." * 65536)
        elif WAY == "hot-loop":
            say("ready")

    async def tangle(self) -> None:
        """Waits for a task that waits at the lock that this one holds."""
        knot = asyncio.Lock()
        async with knot:
            other = asyncio.create_task(self.untie(knot))
            say("ready")
            await other

    async def untie(self, knot: asyncio.Lock) -> None:
        async with knot:
            pass

    async def watch(self) -> None:
        """Says when for half a second nothing of what waits has left."""
        since, waiting = time.monotonic(), 0
        while not waiting or time.monotonic() < since + 0.5:
            await asyncio.sleep(0.05)
            if self.line.waiting() != waiting:
                since, waiting = time.monotonic(), self.line.waiting()
        say("ready")
        await asyncio.Event().wait()

    async def listen(self) -> None:
        """Says when the library's PINGs are not answered."""
        while not self.line.unanswered():
            await asyncio.sleep(0.05)
        say("ready")

    async def breathe(self) -> None:
        """Beats, each of which a peer that is well answers."""
        for count in range(1_000_000):
            await self.line.push("beat")
            if count == 2:
                say("ready")
            await asyncio.sleep(BEAT)


async def main() -> None:
    puppet = Puppet()
    say("here")
    address = sys.stdin.readline().strip()
    await puppet.line.tie(address + PATHS.get(WAY, "/quiet"))
    puppet.ear = asyncio.create_task(puppet.dance())
    if WAY == "missing-ack":
        puppet.strings.append(asyncio.create_task(puppet.listen()))
    if WAY in ("half-open", "idle"):
        puppet.strings.append(asyncio.create_task(puppet.breathe()))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
