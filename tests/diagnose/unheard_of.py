"""A program whose connections are of a library that nobody has heard of. Run as `python unheard_of.py PORT WAY`."""

from __future__ import annotations

import asyncio
import sys
from collections import deque

REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
REQUEST += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"


class Pipe(asyncio.Protocol):
    """A connection: what comes in lies in a box until somebody receives it."""

    def __init__(self) -> None:
        self.below: asyncio.Transport | None = None
        self.box: deque[bytes] = deque()
        self.over = False
        self.come = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.below = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.box.append(data)
        self.come.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True

    async def receive(self) -> bytes:
        while not self.box:
            self.come.clear()
            await self.come.wait()
        return self.box.popleft()


async def first(pipe: Pipe) -> None:
    await pipe.receive()


async def read(pipe: Pipe) -> None:
    while True:
        await pipe.receive()


async def main() -> None:
    loop = asyncio.get_running_loop()
    _, pipe = await loop.create_connection(Pipe, "127.0.0.1", int(sys.argv[1]))
    await first(pipe)
    tasks = [loop.create_task(read(pipe))] if sys.argv[2] == "read" else []
    while not tasks and not pipe.box:  # until something lies in it unread
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.gather(*tasks, asyncio.Event().wait())


if __name__ == "__main__":
    asyncio.run(main())
