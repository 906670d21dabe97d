"""A program whose tasks wait for a PostgreSQL that has gone silent, through asyncpg, plain and TLS; see endpoints.py.

The server is one of its own: it speaks the start of a session, and answers no query but the one that prepares.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import struct
import sys

import asyncpg
import endpoints
from endpoints import HOLD, begin, settle, stands, waits_for

SSL_REQUEST = 80877103  # PostgreSQL's protocol, 55.7 Message Formats; the others are of version 3
PREPARED = "prepares"  # a query that has this in it gets as far as to be run


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


READY = message(b"Z", b"I")
STARTED = (
    message(b"R", struct.pack("!i", 0))
    + message(b"S", b"server_version\x0017.2\0")
    + message(b"S", b"client_encoding\0UTF8\0")
    + message(b"K", struct.pack("!ii", 1, 2))
    + READY
)
PARSED = message(b"1") + message(b"t", struct.pack("!h", 0)) + message(b"n")


async def serve(context: ssl.SSLContext | None) -> int:
    """The port of a server that says no more than it must."""

    async def serves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        HOLD.append(writer)
        length, version = struct.unpack("!ii", await reader.readexactly(8))
        if version == SSL_REQUEST:
            writer.write(b"S" if context else b"N")
            if context:
                await writer.start_tls(context)
            length, version = struct.unpack("!ii", await reader.readexactly(8))
        await reader.readexactly(length - 8)
        writer.write(STARTED)
        while kind := await reader.readexactly(1):
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            if kind == b"P" and PREPARED.encode() in body:
                writer.write(PARSED)

    server = await asyncio.start_server(serves, "127.0.0.1", 0)
    HOLD.append(server)
    return server.sockets[0].getsockname()[1]


async def sessions(kind: str, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> None:
    port = await serve(server)

    async def connect() -> asyncpg.Connection:
        made = await asyncpg.connect(
            host="127.0.0.1", port=port, user="nobody", database="none", ssl=client or False, timeout=None
        )
        HOLD.append(made)
        return made

    for name, method, place in (
        ("query", "execute", "Connection.execute"),
        ("prepare", "fetch", "Connection._get_statement"),
        ("close", "close", "Connection.close"),
    ):
        one = await connect()
        arguments = () if method == "close" else ("select 1",)
        waits_for(f"asyncpg {name} {kind}", one._transport, False)
        begin(f"asyncpg {name} {kind}", getattr(one, method)(*arguments), place)

    one = await connect()
    begin(f"asyncpg timeout {kind}", one.execute("select 1", timeout=3600), "Connection.execute")
    waits_for(f"asyncpg timeout {kind}", one._transport, False)

    one = await connect()
    statement = await one.prepare(f"select '{PREPARED}'")
    HOLD.append(statement)
    begin(f"asyncpg run {kind}", statement.fetch(), "PreparedStatement.__do_execute")
    waits_for(f"asyncpg run {kind}", one._transport, False)


def waits_at(name: str, place: str) -> bool:
    """Whether its innermost coroutine of Python is that one, and waits for a future and not in a coroutine of C."""
    step = endpoints.TASKS[name].get_coro()
    while hasattr(step.cr_await, "cr_await"):
        step = step.cr_await
    return step.__qualname__ == place and type(step.cr_await).__name__ == "FutureIter"


async def beginnings(client: ssl.SSLContext) -> None:
    """Of sessions that the server does not even begin."""
    address = endpoints.silent_listener()
    known = set[int]()
    for name, given, place in (
        ("startup", False, "__connect_addr"),
        ("TLS request", client, "_create_ssl_connection"),
    ):
        host, port = address
        connecting = asyncpg.connect(host=host, port=port, user="nobody", database="none", ssl=given, timeout=None)
        begin(f"asyncpg {name}", connecting, functools.partial(waits_at, f"asyncpg {name}", place))
        while not stands(f"asyncpg {name}"):
            await asyncio.sleep(0.002)
        (one,) = [each for each in endpoints.sockets_to(address) if each.fileno() not in known]
        known.add(one.fileno())
        waits_for(f"asyncpg {name}", one, False)


async def main() -> None:
    server, client = endpoints.contexts(sys.argv[1])
    await sessions("plain", None, None)
    await sessions("tls", server, client)
    await beginnings(client)
    await settle()
    endpoints.say()


endpoints.run(main)
