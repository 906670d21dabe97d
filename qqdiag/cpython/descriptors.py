"""Which fd a wait is for: through the transport that a coroutine of a library reads or writes, or the selector."""

from __future__ import annotations

from typing import NamedTuple

from qqdiag.cpython import attributes, callbacks, cython_fields, frames, held, uvloop_handles
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Level

MAX_WATCHED = 2_000
READ, WRITE = 1, 2  # selectors.EVENT_READ, EVENT_WRITE
HANDLE = ("_cancelled", "_callback", "_args")
OUTWARD = 3  # coroutines from the innermost on among which one of a library is looked for


class Watched(NamedTuple):
    """An fd, and whether the wait is for room to write (True) or for bytes to read (False); None: not known."""

    fd: int
    writable: bool | None


class Wait(NamedTuple):
    """A coroutine that waits for its socket: the end of its file's path (or one of some), how its `self` leads to the
    transport, and which way the bytes go."""

    path: str | tuple[str, ...]
    attributes: tuple[str, ...]
    writable: bool | None
    inner: int = 0  # coroutines that may lie between it and the future
    start: str = ""  # the local to begin with instead of `self`


# Fields of Cython's classes, which have no names in the memory, by the class of what they hold.
TRANSPORTS = ("asyncio.transports.BaseTransport", "uvloop.loop.UVBaseTransport", uvloop_handles.TLS_TRANSPORT)
FIELDS = {"_protocol": ("aiohttp.base_protocol.BaseProtocol",), "transport": TRANSPORTS}
STREAMS, EVENTS = "asyncio/streams.py", "asyncio/base_events.py"
AIOHTTP = "aiohttp/streams.py"
READER = ("aiohttp/_websocket/reader_py.py", "aiohttp/_websocket/reader_c.py")  # in Cython, which calls itself both
WEBSOCKETS, LEGACY = "websockets/asyncio/connection.py", "websockets/legacy/protocol.py"
ANYIO = "anyio/_backends/_asyncio.py"
ASYNCPG, POSTGRES = "asyncpg/connect_utils.py", "asyncpg/protocol/protocol.pyx"
# By qualname. asyncio: Lib/asyncio of 3.9 to 3.15; the others as of aiohttp 3.9 to 3.14, websockets 13 to 17, anyio 4,
# asyncpg 0.32.
WAITS = {
    "StreamReader._wait_for_data": Wait(STREAMS, ("_transport",), False),
    "StreamWriter.drain": Wait(STREAMS, ("_transport",), True, 1),
    "StreamWriter.wait_closed": Wait(STREAMS, ("_transport",), None),
    # A new connection, whose TLS handshake goes both ways.
    "BaseEventLoop._create_connection_transport": Wait(EVENTS, (), None, start="transport"),
    "BaseEventLoop.start_tls": Wait(EVENTS, (), None, start="transport"),
    "StreamReader._wait": Wait(AIOHTTP, ("_protocol", "transport"), False),
    "DataQueue.read": Wait(AIOHTTP, ("transport",), False),  # of a client's connection, which is one
    "FlowControlDataQueue.read": Wait(AIOHTTP, ("_protocol", "transport"), False, 1),  # of WebSockets up to 3.10
    "WebSocketDataQueue.read": Wait(READER, ("_protocol", "transport"), False),
    "BaseProtocol._drain_helper": Wait("aiohttp/base_protocol.py", ("transport",), True),
    "RequestHandler.start": Wait("aiohttp/web_protocol.py", ("transport",), False),
    "ClientRequest.write_bytes": Wait("aiohttp/client_reqrep.py", ("_protocol", "transport"), False, start="conn"),
    "Connection.recv": Wait(WEBSOCKETS, ("transport",), False, 2),
    "Connection.recv_streaming": Wait(WEBSOCKETS, ("transport",), False, 2),
    "Connection.keepalive": Wait(WEBSOCKETS, ("transport",), False),  # for a PONG
    "Connection.drain": Wait(WEBSOCKETS, ("transport",), True),
    "ClientConnection.handshake": Wait("websockets/asyncio/client.py", ("transport",), False, 2),
    "ServerConnection.handshake": Wait("websockets/asyncio/server.py", ("transport",), False, 2),
    "WebSocketCommonProtocol.recv": Wait(LEGACY, ("transport",), False, 2),
    "WebSocketCommonProtocol.keepalive_ping": Wait(LEGACY, ("transport",), False),
    "WebSocketCommonProtocol._drain_helper": Wait(LEGACY, ("transport",), True),
    "SocketStream.receive": Wait(ANYIO, ("_transport",), False, 1),
    "SocketStream.send": Wait(ANYIO, ("_transport",), True, 1),
    "UDPSocket.receive": Wait(ANYIO, ("_transport",), False, 1),
    "UDPSocket.send": Wait(ANYIO, ("_transport",), True, 1),
    "ConnectedUDPSocket.receive": Wait(ANYIO, ("_transport",), False, 1),
    "ConnectedUDPSocket.send": Wait(ANYIO, ("_transport",), True, 1),
    "__connect_addr": Wait(ASYNCPG, (), False, start="tr"),
    "_create_ssl_connection": Wait(ASYNCPG, (), False, start="tr"),
    **{
        f"BaseProtocol.{name}": Wait(POSTGRES, ("transport",), False)  # for the answer
        for name in (
            *("bind", "bind_execute", "bind_execute_many", "close", "close_portal", "close_statement"),
            *("copy_in", "copy_out", "execute", "prepare", "query"),
        )
    },
    "AsyncIOBackend.wait_readable": Wait(ANYIO, (), False, start="fd"),
    "AsyncIOBackend.wait_writable": Wait(ANYIO, (), True, start="fd"),
}


# By class, how its instances lead to the transport.
ENDS = {
    **dict.fromkeys(TRANSPORTS, ()),
    "asyncio.streams.StreamReader": ("_transport",),
    "asyncio.streams.StreamWriter": ("_transport",),
    "aiohttp.client_ws.ClientWebSocketResponse": ("_writer", "transport"),
    "aiohttp.web_ws.WebSocketResponse": ("_writer", "transport"),
    "aiohttp.connector.Connection": ("_protocol", "transport"),
    "aiohttp.base_protocol.BaseProtocol": ("transport",),
    "websockets.asyncio.connection.Connection": ("transport",),
    "websockets.legacy.protocol.WebSocketCommonProtocol": ("transport",),
    "asyncpg.connection.Connection": ("_transport",),
    "asyncpg.pool.PoolConnectionProxy": ("_con", "_transport"),
    "anyio._backends._asyncio.SocketStream": ("_transport",),
    "discord.gateway.DiscordWebSocket": ("socket", "_writer", "transport"),
}
SOCKET = "_socket.socket"


def of_object(runtime: Runtime, address: int, info: TypeInfo) -> int | None:
    """The fd of a socket, transport, stream or WebSocket; None for anything else, and where it is closed."""
    if SOCKET in info.bases:  # its first field, -1 once it is closed (PySocketSockObject, Modules/socketmodule.h)
        fd = runtime.objects.read_int(address + runtime.layout.object_type + 8)
        return fd if fd >= 0 else None
    way = next((ENDS[base] for base in info.bases if base in ENDS), None)
    return None if way is None else _follow(runtime, address, way)


def of_levels(runtime: Runtime, levels: list[Level], outward: int = OUTWARD) -> Watched | None:
    """The fd that the innermost coroutines of a chain wait for, where one of them is in WAITS."""
    seen = 0
    for level in reversed(levels):
        if level.code is None:
            continue
        wait = WAITS.get(level.name.reveal())
        here = wait is not None and runtime.codes.table[level.code].path.reveal().endswith(wait.path)
        if wait is not None and here and seen <= wait.inner:
            start = _start(runtime, level, wait)
            fd = _follow(runtime, start, wait.attributes) if start else None
            if fd is not None:
                return Watched(fd, wait.writable)
        seen += 1
        if seen == outward:
            break
    return None


def _start(runtime: Runtime, level: Level, wait: Wait) -> int | None:
    """The object that the way to the transport begins at."""
    if level.kind.reveal() == "cython":
        return cython_fields.own(runtime, level.address, level.name.reveal())
    return frames.locals_of(runtime, level.address).get(wait.start) if wait.start else held.own(runtime, level)


def _follow(runtime: Runtime, address: int, names: tuple[str, ...]) -> int | None:
    for name in names:
        inner = runtime.objects.attribute(address, name)
        if inner is None and name in FIELDS:
            found = cython_fields.field(runtime, address, *FIELDS[name])
            inner = found[1] if found else None
        if inner is None:
            return None
        address = inner
    return of_endpoint(runtime, address)


def of_endpoint(runtime: Runtime, address: int) -> int | None:
    """The fd of a transport or of a number, which is one itself; None where a socket is closed already."""
    number = runtime.objects.integer(address)
    return of_transport(runtime, address) if number is None else number


def of_transport(runtime: Runtime, address: int) -> int | None:
    """The fd of asyncio's or uvloop's transport of a socket or a pipe, through TLS; None for any other, and once it is
    closed."""
    objects = runtime.objects
    if tls := objects.attribute(address, "_ssl_protocol"):
        below = objects.attribute(tls, "_transport")
        if below is None:
            return None
        address = below
    for name, opened in (("_sock_fd", "_sock"), ("_fileno", "_pipe")):
        if number := objects.attribute(address, name):
            owner = objects.attribute(address, opened)  # None once it is closed, and the number somebody else's
            return None if owner and objects.is_none(owner) else objects.integer(number)
    return uvloop_handles.fd_of(runtime, address)


def by_future(runtime: Runtime, loops: list[int]) -> dict[int, Watched]:
    """The futures that a callback of `loop.add_reader` or `add_writer` completes, by what the selector has."""
    found: dict[int, Watched] = {}
    for loop in loops:
        try:
            selector = runtime.objects.attribute(loop, "_selector")
            keys = runtime.objects.attribute(selector, "_fd_to_key") if selector else None
            for _, key in runtime.objects.pairs(keys, MAX_WATCHED) if keys else []:
                _watched(runtime, key, found)
        except Unreadable:
            continue
    return found


def _watched(runtime: Runtime, key: int, found: dict[int, Watched]) -> None:
    """One SelectorKey(fileobj, fd, events, data), of which data is (reader, writer), each a Handle or None."""
    objects = runtime.objects
    fields = objects.items(key, 4)
    fd = objects.integer(fields[1]) if len(fields) == 4 else None
    if fd is None:
        return
    for side, handle in enumerate(objects.items(fields[3], 2)):
        if objects.is_none(handle):
            continue
        cancelled, callback, arguments = attributes.slot_words(objects, handle, HANDLE)
        if not callback or objects.is_none(callback) or (cancelled and objects.truth(cancelled)):
            continue
        given = objects.items(arguments, callbacks.MAX_ARGUMENTS) if arguments else []
        for future in callbacks.touches(runtime, callback, given):
            found.setdefault(future, Watched(fd, side == 1))
