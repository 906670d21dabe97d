"""Tasks at both ends of connections of websockets, of its new implementation and its former one; see libraries.py."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import endpoints
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.legacy.client
import websockets.legacy.server
from endpoints import HOLD, begin, begun, waits_for

Connect = Callable[..., Awaitable[Any]]


class Ends(NamedTuple):
    """A new connection, the task of the server that serves it, and that one's end of it."""

    client: Any
    task: asyncio.Task
    server: Any


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def iterates(connection) -> None:
    async for _ in connection:
        pass


async def sends(connection) -> None:
    while True:
        await connection.send(endpoints.MUCH[: 1 << 20])


async def pings(connection, limit: float | None = None) -> None:
    """A PING of one's own, and a wait for its answer."""
    await asyncio.wait_for(await connection.ping(), limit)


async def listen(serve: Connect, connect: Connect, server: ssl.SSLContext | None, client: ssl.SSLContext | None):
    """What makes a connection: `await new()`; one to `/deaf` is not read at the other end."""
    handled: asyncio.Queue = asyncio.Queue()

    async def handles(connection) -> None:
        handled.put_nowait((asyncio.current_task(), connection))
        path = connection.path if hasattr(connection, "path") else connection.request.path
        if path == "/deaf":
            connection.transport.pause_reading()
            await forever()
        await iterates(connection)

    serving = await serve(handles, "127.0.0.1", 0, ssl=server, ping_interval=None)
    address = f"ws{'s' if client else ''}://127.0.0.1:{serving.sockets[0].getsockname()[1]}"

    async def new(path: str = "", **options: object) -> Ends:
        made = await connect(address + path, ssl=client, **{"ping_interval": None, **options})
        ends = Ends(made, *(await handled.get()))
        HOLD.extend((serving, ends))
        return ends

    return new


async def begin_all(kind: str, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> None:
    await begin_new(kind, server, client)
    await begin_legacy(kind, server, client)


async def begin_new(kind: str, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> None:
    new = await listen(websockets.asyncio.server.serve, websockets.asyncio.client.connect, server, client)

    def say(name: str, coroutine: Awaitable[None], end: Any, there: str | Callable[[], bool], writable: bool = False):
        begin(f"websockets {name} {kind}", coroutine, there)
        waits_for(f"websockets {name} {kind}", end.transport, writable)

    plain = await new()
    say("recv", plain.client.recv(), plain.client, "SimpleQueue.get")
    begun(f"websockets server {kind}", plain.task, lambda: waits_in(plain.server))
    waits_for(f"websockets server {kind}", plain.server.transport, False)
    iterated = (await new()).client
    say("iterated", iterates(iterated), iterated, lambda: waits_in(iterated))
    sending = (await new("/deaf", compression=None)).client
    say("send", sends(sending), sending, lambda: bool(sending.drain_waiters), True)
    # The keepalive of a client whose PING is not answered.
    kept = (await new("/deaf", ping_interval=0.01, ping_timeout=3600)).client
    begun(f"websockets keepalive {kind}", kept.keepalive_task, "Connection.keepalive")
    waits_for(f"websockets keepalive {kind}", kept.transport, False)
    one = (await new("/deaf")).client
    say("ping", pings(one), one, lambda: bool(one.pending_pings))
    other = (await new("/deaf")).client
    say("ping in time", pings(other, 3600), other, lambda: bool(other.pending_pings))


def waits_in(connection) -> bool:
    return connection.recv_messages.frames.get_waiter is not None


async def begin_legacy(kind: str, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> None:
    new = await listen(websockets.legacy.server.serve, websockets.legacy.client.connect, server, client)
    old = await new()
    begin(f"websockets legacy {kind}", old.client.recv(), lambda: old.client._pop_message_waiter is not None)
    waits_for(f"websockets legacy {kind}", old.client.transport, False)
    begun(f"websockets legacy server {kind}", old.task, lambda: old.server._pop_message_waiter is not None)
    waits_for(f"websockets legacy server {kind}", old.server.transport, False)
    begun(f"websockets legacy transfer {kind}", old.client.transfer_data_task, "StreamReader._wait_for_data")
    waits_for(f"websockets legacy transfer {kind}", old.client.transport, False)
    pinged = (await new("/deaf")).client
    begin(f"websockets legacy ping {kind}", pings(pinged), lambda: bool(pinged.pings))
    waits_for(f"websockets legacy ping {kind}", pinged.transport, False)
