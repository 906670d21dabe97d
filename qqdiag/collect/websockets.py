"""WebSocket objects of the libraries that gateways use, of both ends, followed to their transport and its fd."""

from __future__ import annotations

import struct

from qqdiag.cpython import uvloop_handles
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name, Word
from qqdiag.snapshot import Transport, WebSocket

AIOHTTP = "aiohttp.client_ws.ClientWebSocketResponse"
WEBSOCKETS = "websockets.asyncio.client.ClientConnection"
WEBSOCKETS_LEGACY = "websockets.legacy.client.WebSocketClientProtocol"
AIOHTTP_SERVER = "aiohttp.web_ws.WebSocketResponse"
SERVERS = frozenset(
    {
        AIOHTTP_SERVER,
        "websockets.asyncio.server.ServerConnection",
        "websockets.legacy.server.WebSocketServerProtocol",
    }
)
CLIENTS = frozenset({AIOHTTP, WEBSOCKETS, WEBSOCKETS_LEGACY})
CLOSING, CLOSED = 2, 3  # websockets.protocol.State
MAX_QUEUED = 10_000


def is_websocket(info: TypeInfo) -> bool:
    return any(name in CLIENTS or name in SERVERS for name in info.bases)


def read(runtime: Runtime, address: int, transports: list[Transport]) -> WebSocket:
    """The WebSocket at `address`, without its holders. Unreadable when it is none."""
    info = runtime.objects.type_of(address)
    read_one = _aiohttp if AIOHTTP in info.bases or AIOHTTP_SERVER in info.bases else _websockets
    return read_one(runtime, address, info, transports)


def _is_server(info: TypeInfo) -> bool:
    return any(name in SERVERS for name in info.bases)


def of_transport(transport: Transport) -> WebSocket:
    """A connection that parses WebSocket frames, whose own object was not found: what its transport shows."""
    return WebSocket(
        address=transport.protocol_address,
        library=Word("aiohttp"),
        type=transport.protocol,
        server=transport.protocol.reveal() == "RequestHandler",  # aiohttp/web_protocol.py; a client's is another
        closed=transport.closing,
        closing=transport.closing,
        close_code=None,
        close_timeout=None,
        fd=transport.fd,
        transport=transport.address,
        unread=None,
    )


def _aiohttp(runtime: Runtime, address: int, info: TypeInfo, transports: list[Transport]) -> WebSocket:
    """Attributes of aiohttp/client_ws.py and web_ws.py, the same in 3.8 to 3.14 but for the client's `_timeout`."""
    own = runtime.objects.attributes(address)
    limits = own.get("_timeout", 0)
    close_timeout, known = _limit(runtime, limits, "ws_close")
    transport = _transport(runtime, _aiohttp_transport(runtime, own), transports)
    return WebSocket(
        address=address,
        library=Word("aiohttp"),
        type=Name(info.qualname),
        server=_is_server(info),
        # Of a server, newer versions keep False in the class; one without a writer is not yet prepared.
        closed=_truth(runtime, own, "_closed") or (False if _is_set(runtime, own, "_writer") else None),
        closing=_truth(runtime, own, "_closing") or False,
        close_code=_integer(runtime, own, "_close_code"),
        close_timeout=close_timeout,
        close_timeout_known=known,
        receive_timeout=_number(runtime, own, "_receive_timeout") or _limit(runtime, limits, "ws_receive")[0],
        fd=transport.fd if transport else uvloop_handles.fd_of(runtime, _aiohttp_transport(runtime, own)),
        transport=transport.address if transport else None,
        unread=_queued(runtime, own.get("_reader", 0)),
        ping_interval=_number(runtime, own, "_heartbeat"),
        ping_outstanding=_is_set(runtime, own, "_pong_response_cb") or False,
    )


def _aiohttp_transport(runtime: Runtime, own: dict[str, int]) -> int:
    """`_writer.transport`, or the connection's protocol's."""
    for path in (("_writer", "transport"), ("_conn", "_protocol", "transport")):
        here: int | None = own.get(path[0])
        for name in path[1:]:
            here = runtime.objects.attribute(here, name) if here and not runtime.objects.is_none(here) else None
        if here and not runtime.objects.is_none(here):
            return here
    return 0


def _limit(runtime: Runtime, limits: int, name: str) -> tuple[float | None, bool]:
    """(seconds or None for no limit, whether it could be read); before aiohttp 3.11 `_timeout` is the number itself."""
    if not limits:
        return None, False
    plain = runtime.objects.number(limits)
    if plain is not None:
        return (plain, True) if name == "ws_close" else (None, False)
    value = runtime.objects.attribute(limits, name)
    return (runtime.objects.number(value), True) if value else (None, False)


def _queued(runtime: Runtime, reader: int) -> int | None:
    """Bytes in aiohttp's WebSocketDataQueue: an attribute in Python, a C field before `_protocol` in Cython."""
    if not reader or runtime.objects.is_none(reader):
        return None
    size = runtime.objects.attribute(reader, "_size")
    if size:
        return runtime.objects.integer(size)
    info = runtime.objects.type_of(reader)
    body = runtime.objects.read(reader, min(info.basicsize, 512))
    for offset in range(24, len(body) - 8, 8):
        pointer = struct.unpack_from("<Q", body, offset)[0]
        if _is_protocol(runtime, pointer):
            return int(struct.unpack_from("<I", body, offset - 8)[0])
    return None


def _is_protocol(runtime: Runtime, pointer: int) -> bool:
    try:
        return runtime.objects.is_a(pointer, "aiohttp.base_protocol.BaseProtocol")
    except Unreadable:
        return False


def _websockets(runtime: Runtime, address: int, info: TypeInfo, transports: list[Transport]) -> WebSocket:
    """websockets' asyncio/connection.py (13 and later) and legacy/protocol.py."""
    own = runtime.objects.attributes(address)
    protocol = runtime.objects.attributes(own["protocol"]) if own.get("protocol") else own
    state = _integer(runtime, protocol, "_state" if "_state" in protocol else "state")  # a property since 17
    transport = _transport(runtime, own.get("transport", 0), transports)
    pings = own.get("pending_pings") or own.get("pings") or 0
    return WebSocket(
        address=address,
        library=Word("websockets"),
        type=Name(info.qualname),
        server=_is_server(info),
        closed=None if state is None else state == CLOSED,
        closing=None if state is None else state >= CLOSING,
        close_code=None,
        close_timeout=_number(runtime, own, "close_timeout"),
        close_timeout_known="close_timeout" in own,
        fd=transport.fd if transport else uvloop_handles.fd_of(runtime, own.get("transport", 0)),
        transport=transport.address if transport else None,
        unread=_messages(runtime, own),
        ping_interval=_number(runtime, own, "ping_interval"),
        ping_outstanding=bool(runtime.objects.count(pings)) if pings else None,
    )


def _messages(runtime: Runtime, own: dict[str, int]) -> int | None:
    """Bytes of the messages that wait in its own queue."""
    assembler = own.get("recv_messages")
    frames = runtime.objects.attribute(assembler, "frames") if assembler else None
    queue = runtime.objects.attribute(frames, "queue") if frames else own.get("messages")
    if not queue:
        return None
    return sum(_message_size(runtime, item) for item in runtime.objects.items(queue, MAX_QUEUED))


def _message_size(runtime: Runtime, item: int) -> int:
    """The payload of one frame or message; 1 where its type tells no size, because it is there."""
    data = runtime.objects.attribute(item, "data") or item
    return runtime.objects.byte_count(data) or 1


def _transport(runtime: Runtime, address: int, transports: list[Transport]) -> Transport | None:
    """The loop's transport, through TLS (asyncio.sslproto._SSLProtocolTransport); None once it is closed."""
    known = {row.address: row for row in transports}
    if address and address not in known and not runtime.objects.is_none(address):
        tls = runtime.objects.attribute(address, "_ssl_protocol")
        below = runtime.objects.attribute(tls, "_transport") if tls and not runtime.objects.is_none(tls) else None
        address = below or 0
    return known.get(address)


def _truth(runtime: Runtime, own: dict[str, int], name: str) -> bool | None:
    return runtime.objects.truth(own[name]) if name in own else None


def _integer(runtime: Runtime, own: dict[str, int], name: str) -> int | None:
    return runtime.objects.integer(own[name]) if name in own else None


def _number(runtime: Runtime, own: dict[str, int], name: str) -> float | None:
    return runtime.objects.number(own[name]) if name in own else None


def _is_set(runtime: Runtime, own: dict[str, int], name: str) -> bool | None:
    return not runtime.objects.is_none(own[name]) if name in own else None
