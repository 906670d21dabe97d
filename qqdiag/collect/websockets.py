"""WebSocket objects of the libraries that gateways use, of both ends, followed to their transport and its fd.

What each library calls things is in its profile (profiles/aiohttp.py, profiles/websockets.py).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from qqdiag.cpython import uvloop_handles
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name, Word
from qqdiag.profiles import WebSocketShape, websocket_shapes
from qqdiag.snapshot import Transport, WebSocket

MAX_QUEUED = 10_000
MAX_PINGS = 1_000
QUEUE_BYTES = 512  # of an object of Cython


def is_websocket(info: TypeInfo) -> bool:
    return shape_of(info) is not None


def shape_of(info: TypeInfo) -> WebSocketShape | None:
    """The shape that fits a type or one that it derives from."""
    return next((shape for shape in websocket_shapes() if shape.type_name in info.bases), None)


class Own(NamedTuple):
    """A WebSocket's instance attributes, by which the paths of its shape are followed."""

    runtime: Runtime
    attributes: dict[str, int]


def read(runtime: Runtime, address: int, shape: WebSocketShape, transports: list[Transport]) -> WebSocket:
    """The WebSocket at `address`, without its holders. Unreadable when it is none."""
    own = Own(runtime, runtime.objects.attributes(address))
    below = _at(own, shape.transport) or 0
    transport = _transport(runtime, below, transports)
    closing, closed = _state(own, shape)
    close_timeout, known = _limit(own, shape.close_timeout)
    pong_timeout, pong_known = _limit(own, shape.pong_timeout)
    pings, sent_at = _pings(own, shape, pong_timeout)
    return WebSocket(
        address=address,
        library=Word(shape.library),
        type=Name(runtime.objects.type_of(address).qualname),
        server=shape.server,
        closed=closed,
        closing=closing,
        close_code=_integer(own, shape.close_code),
        close_timeout=close_timeout,
        close_timeout_known=known,
        receive_timeout=_limit(own, shape.receive_timeout)[0],
        fd=transport.fd if transport else uvloop_handles.fd_of(runtime, below),
        transport=transport.address if transport else None,
        unread=_unread(own, shape),
        ping_interval=_limit(own, shape.ping_interval)[0],
        ping_outstanding=bool(pings) if pings is not None else None,
        ping_sent_at=sent_at,
        pings=pings,
        pong_timeout=pong_timeout,
        pong_timeout_known=pong_known,
    )


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


# --- what a shape's paths lead to ------------------------------------------------------------------------------------


def _at(own: Own, paths: tuple[str, ...], *, none: bool = False) -> int | None:
    """The object at the first path that is there. None for none of them; `none`: whether None itself is an answer."""
    for path in paths:
        first, *rest = path.split(".")
        here = own.attributes.get(first)
        for name in rest:
            here = own.runtime.objects.attribute(here, name) if here and not own.runtime.objects.is_none(here) else None
        if here and (none or not own.runtime.objects.is_none(here)):
            return here
    return None


def _limit(own: Own, paths: tuple[str, ...]) -> tuple[float | None, bool]:
    """(seconds or None for no limit, whether it is there)."""
    for path in paths:
        value = _at(own, (path,), none=True)
        number = own.runtime.objects.number(value) if value else None
        if value and (number is not None or own.runtime.objects.is_none(value)):
            return number, True
    return None, False


def _integer(own: Own, paths: tuple[str, ...]) -> int | None:
    value = _at(own, paths)
    return own.runtime.objects.integer(value) if value else None


def _state(own: Own, shape: WebSocketShape) -> tuple[bool | None, bool | None]:
    """Whether it is closing, and whether it is closed."""
    if shape.state:
        state = _integer(own, shape.state)
        return (None, None) if state is None else (state >= shape.closing_from, state >= shape.closed_from)
    open_ = False if _at(own, shape.opened) else None
    closed, closing = _at(own, shape.closed), _at(own, shape.closing)
    truth = own.runtime.objects.truth
    return (truth(closing) if closing else None) or False, (truth(closed) if closed else None) or open_


def _unread(own: Own, shape: WebSocketShape) -> int | None:
    """Bytes that were read from the socket and not consumed."""
    queued = _integer(own, shape.queued)
    if queued is not None:
        return queued
    if (queue := _at(own, shape.queue)) is not None:
        return _counted(own.runtime, queue, shape.queue_before)
    messages = _at(own, shape.messages)
    if messages is None:
        return None
    return sum(_size(own.runtime, item, shape.message) for item in own.runtime.objects.items(messages, MAX_QUEUED))


def _counted(runtime: Runtime, queue: int, before: str) -> int | None:
    """The C field of an object of Cython just before its pointer to an instance of the class `before`."""
    info = runtime.objects.type_of(queue)
    body = runtime.objects.read(queue, min(info.basicsize, QUEUE_BYTES))
    for offset in range(24, len(body) - 8, 8):
        if _is_a(runtime, struct.unpack_from("<Q", body, offset)[0], before):
            return int(struct.unpack_from("<I", body, offset - 8)[0])
    return None


def _is_a(runtime: Runtime, pointer: int, dotted: str) -> bool:
    try:
        return runtime.objects.is_a(pointer, dotted)
    except Unreadable:
        return False


def _size(runtime: Runtime, item: int, payload: str) -> int:
    """The payload of one frame or message; 1 where its type tells no size, because it is there."""
    data = (runtime.objects.attribute(item, payload) if payload else None) or item
    return runtime.objects.byte_count(data) or 1


def _pings(own: Own, shape: WebSocketShape, pong_timeout: float | None) -> tuple[int | None, float | None]:
    """(how many of the library's own are not answered, when the first of them was sent)."""
    objects = own.runtime.objects
    if (table := _at(own, shape.pings)) is not None:
        entries = [objects.items(value, 2) for _, value in objects.pairs(table, MAX_PINGS)]
        times = [objects.number(entry[1]) for entry in entries if len(entry) == 2]
        return len(entries), min((time for time in times if time is not None), default=None)
    if not shape.pong_timer:
        return None, None
    timer = _at(own, shape.pong_timer)
    when = objects.attribute(timer, "_when") if timer else None
    due = objects.number(when) if when else None
    return int(timer is not None), None if due is None or pong_timeout is None else due - pong_timeout


def _transport(runtime: Runtime, address: int, transports: list[Transport]) -> Transport | None:
    """The loop's transport, through TLS (asyncio.sslproto._SSLProtocolTransport); None once it is closed."""
    known = {row.address: row for row in transports}
    if address and address not in known:
        tls = runtime.objects.attribute(address, "_ssl_protocol")
        below = runtime.objects.attribute(tls, "_transport") if tls and not runtime.objects.is_none(tls) else None
        address = below or 0
    return known.get(address)
