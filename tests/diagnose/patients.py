"""Small asyncio programs, each in one state, that no profile knows. Run as `python patients.py NAME PORT`.

Each says `ready` on stdout once it is in its state and then stays in it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

PORT = int(sys.argv[2])
URL = f"http://127.0.0.1:{PORT}/"
READY = "ready"


def say(text: str) -> None:
    print(text, flush=True)


async def websockets_idle() -> None:
    """A listener in `async for` of the websockets library."""
    from websockets.asyncio.client import connect

    async with connect(URL.replace("http", "ws")) as socket:
        async for message in socket:
            say(str(message))


async def websockets_busy() -> None:
    """A listener that handles a message while more of them come in."""
    from websockets.asyncio.client import connect

    async with connect(URL.replace("http", "ws"), ping_interval=None) as socket:
        async for message in socket:
            say(str(message))
            await asyncio.sleep(3600)


async def websockets_close() -> None:
    """A close without a limit, to a peer that never answers it."""
    from websockets.asyncio.client import connect

    socket = await connect(URL.replace("http", "ws") + "deaf", close_timeout=None, ping_interval=None)
    await socket.recv()
    say(READY)
    await socket.close()


async def iterating() -> None:
    """A listener in `async for` of aiohttp that handles a message while more of them come in."""
    import aiohttp

    async with aiohttp.ClientSession() as session, session.ws_connect(URL) as socket:
        async for message in socket:
            say(str(message.data))
            await asyncio.sleep(3600)


async def telling() -> None:
    """Says what its WebSockets are: one that is read and sent on, one that nobody reads."""
    import aiohttp

    async def listen(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for _ in socket:
            pass

    async def send(socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await asyncio.sleep(41.5)
            await socket.send_str("beat")

    async with aiohttp.ClientSession() as session:
        timeout = aiohttp.ClientWSTimeout(ws_close=3.5, ws_receive=700.0)
        socket = await session.ws_connect(URL + "quiet", timeout=timeout, heartbeat=600.0)
        tasks = [asyncio.create_task(listen(socket)), asyncio.create_task(send(socket))]
        other = await session.ws_connect(URL + "quiet", timeout=aiohttp.ClientWSTimeout(ws_close=None))
        await asyncio.sleep(0.3)
        facts = [about(socket, *tasks), about(other)]
        say(json.dumps(facts))
        await asyncio.gather(*tasks)


def about(socket: Any, *tasks: asyncio.Task[None]) -> dict[str, Any]:
    return {
        "address": id(socket),
        "fd": socket.get_extra_info("socket").fileno(),
        "transport": id(socket._writer.transport),
        "close_timeout": socket._timeout.ws_close,
        "receive_timeout": socket._timeout.ws_receive,
        "ping_interval": socket._heartbeat,
        "unread": getattr(socket._reader, "_size", None),
        "tasks": [id(task) for task in tasks],
    }


class Node:
    """An object that leads to itself, to its neighbours, and to a great many more."""

    def __init__(self, depth: int) -> None:
        self.me = self
        self.others = [self] * 3
        self.many = {number: [self] for number in range(10_000)} if depth == 0 else {}
        self.next = Node(depth - 1) if depth else None


async def tangled() -> None:
    """A listener whose locals lead into a graph without an end."""
    import aiohttp

    async with aiohttp.ClientSession() as session, session.ws_connect(URL + "quiet") as socket:
        nodes = [Node(20) for _ in range(100)]
        nodes[0].others = nodes
        say(str((await socket.receive()).data))
        await socket.receive()


class Wrapping:
    """A listener whose receive is in a method of its own."""

    async def run(self) -> None:
        import aiohttp

        async with aiohttp.ClientSession() as session:
            self.socket = await session.ws_connect(URL)
            while True:
                say(await self.read())
                await asyncio.sleep(3600)

    async def read(self) -> str:
        return str((await self.socket.receive()).data)


async def wrapping() -> None:
    await Wrapping().run()


async def abandoned() -> None:
    """A WebSocket that nobody reads any more, while the server goes on sending."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(URL)
        say(await first(socket))
        await asyncio.Event().wait()


async def first(socket: Any) -> str:
    return str((await socket.receive()).data)


async def bounded_by_wait_for() -> None:
    """A close that a chattering peer would keep alive, in a wait_for that will end it."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        timeout = aiohttp.ClientWSTimeout(ws_close=1.0)
        socket = await session.ws_connect(URL + "chatter", timeout=timeout)
        await socket.receive()
        say(READY)
        await asyncio.wait_for(socket.close(), 3600)


async def streaming() -> None:
    """A plain stream to a peer that does not read."""
    _, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(b"x" * 20_000_000)
    say(READY)
    await writer.drain()


async def waiting_for_close() -> None:
    """A plain stream that was closed with bytes unsent, to a peer that does not read."""
    _, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(b"x" * 20_000_000)
    writer.close()
    say(READY)
    await writer.wait_closed()


async def computing() -> None:
    """A task that computes for ever, with another that has a timer."""

    async def compute() -> None:
        number = 1
        while True:
            number = number * 3 % 1_000_003

    sleeper = asyncio.create_task(asyncio.sleep(0.05))
    await asyncio.sleep(0)
    say(READY)
    await compute()
    await sleeper


async def sleeping() -> None:
    """A synchronous sleep on the loop, with a timer that it makes wait."""
    ticks = asyncio.create_task(ticking())
    await asyncio.sleep(0)
    say(READY)
    time.sleep(3600)
    await ticks


async def yielding() -> None:
    """A task that computes and gives the loop its turn each time: busy, and nothing stands."""
    sleeper = asyncio.create_task(ticking())
    say(READY)
    while not sleeper.done():
        await asyncio.sleep(0)


async def ticking() -> None:
    while True:
        await asyncio.sleep(0.05)


async def failed_other() -> None:
    """A task that is no listener and failed unnoticed."""

    async def job() -> None:
        raise ValueError

    kept = [asyncio.create_task(job())]
    await asyncio.sleep(0)
    say(READY)
    await asyncio.Event().wait()
    kept.clear()


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]]())
