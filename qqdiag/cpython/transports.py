"""Transports of a selector loop, with the protocol that sits on each, through TLS."""

from __future__ import annotations

from qqdiag.cpython.chains import type_name
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name, Say
from qqdiag.snapshot import Transport

MAX_TRANSPORTS = 100_000
MAX_BUFFERS = 10_000
TLS_PROTOCOL = "asyncio.sslproto.SSLProtocol"


def of_loop(runtime: Runtime, loop: int, doubts: list[Say]) -> list[Transport]:
    """`loop._transports`: a WeakValueDictionary of transports by fd."""
    objects = runtime.objects
    mapping = objects.attribute(loop, "_transports")
    data = objects.attribute(mapping, "data") if mapping else None
    found: list[Transport] = []
    unreadable = 0
    for key, reference in objects.pairs(data, MAX_TRANSPORTS) if data else []:
        try:
            fd, address = objects.integer(key), objects.referent(reference)
            if fd is not None and address is not None:
                found.append(transport(runtime, fd, address))
        except Unreadable:
            unreadable += 1
    if unreadable:
        doubts.append(Say("Transports that could not be read: {count}.", count=unreadable))
    return found


def transport(runtime: Runtime, fd: int, address: int) -> Transport:
    """The transport at `address`: attributes of `_SelectorTransport` (Lib/asyncio/selector_events.py)."""
    objects = runtime.objects
    attributes = objects.attributes(address)
    protocol, tls, backlog = _protocol(runtime, attributes.get("_protocol", 0))
    info = objects.type_of(protocol) if protocol else None
    buffered = _buffered(runtime, attributes.get("_buffer", 0))
    return Transport(
        fd=fd,
        address=address,
        type=type_name(objects.type_of(address)),
        protocol=type_name(info) if info else Name("NoneType"),
        protocol_address=protocol,
        tls=tls,
        reading_paused=_truth(runtime, attributes, "_paused"),
        writing_paused=_truth(runtime, attributes, "_protocol_paused"),
        buffered=None if buffered is None else buffered + backlog,
        closing=_truth(runtime, attributes, "_closing"),
        websocket_reader=None if info is None else _websocket_reader(runtime, protocol, info),
    )


def _protocol(runtime: Runtime, address: int) -> tuple[int, bool, int]:
    """(the application's protocol, whether TLS lies between, bytes of plain text that TLS holds back)."""
    objects = runtime.objects
    if not address or objects.is_none(address):
        return 0, False, 0
    if not objects.is_a(address, TLS_PROTOCOL):
        return address, False, 0
    attributes = objects.attributes(address)
    size = attributes.get("_write_buffer_size", 0)
    inner = attributes.get("_app_protocol", 0)
    held = (objects.integer(size) if size else 0) or 0
    return (0 if not inner or objects.is_none(inner) else inner), True, held


def _truth(runtime: Runtime, attributes: dict[str, int], name: str) -> bool | None:
    value = attributes.get(name)
    return None if value is None else runtime.objects.truth(value)


def _buffered(runtime: Runtime, buffer: int) -> int | None:
    """Bytes in the write buffer: a bytearray up to 3.11, since 3.12 a deque of buffers (gh-91166)."""
    objects = runtime.objects
    if not buffer:
        return None
    whole = objects.byte_count(buffer)
    if whole is not None:
        return whole
    return sum(objects.byte_count(item) or 0 for item in objects.items(buffer, MAX_BUFFERS))


def _websocket_reader(runtime: Runtime, protocol: int, info: TypeInfo) -> bool | None:
    """Whether an aiohttp protocol parses WebSocket frames; None for a protocol that is not aiohttp's."""
    objects = runtime.objects
    if not any(base.startswith("aiohttp.") for base in info.bases):
        return None
    parser = objects.attribute(protocol, "_payload_parser")
    return parser is not None and objects.type_of(parser).name == "WebSocketReader"
