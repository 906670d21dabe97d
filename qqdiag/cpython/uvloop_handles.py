"""The fds of uvloop's transports, and of the futures that its loop completes: C structs of Cython's and of libuv's.

A transport points at libuv's handle, which points back at it, and whose loop points back at the loop that the transport
belongs to. Only where all of that closes is the fd believed. The structs of libuv are the same in all of 1.x (uv.h,
uv/unix.h: its ABI is kept); uvloop brings its own. Classes and their fields: uvloop/handles/*.pxd of 0.17 to 0.23.
"""

from __future__ import annotations

from collections.abc import Iterator

from qqdiag.cpython import attributes, cython_fields
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable

HANDLE, LOOP = "uvloop.loop.UVHandle", "uvloop.loop.Loop"
TLS_TRANSPORT, TLS = "uvloop.loop._SSLProtocolTransport", "uvloop.loop.SSLProtocol"
# Futures that keep their socket, by class: whether they wait until it takes bytes.
FUTURES = {"uvloop.loop._SyncSocketReaderFuture": False, "uvloop.loop._SyncSocketWriterFuture": True}
SOCKET = "_socket.socket"
OWN_HANDLE = 24  # UVHandle._handle, behind the table of its methods
UV_LOOP, UV_TYPE = 8, 16  # uv_handle_t.loop and .type; .data is its first field, as it is of uv_loop_t
# By uv_handle_t.type: where the struct has io_watcher.fd. Pipes, TCP and terminals are streams.
UV_FD = {7: 184, 12: 184, 14: 184, 15: 176}
MAPPING = "weakref.WeakValueDictionary"
MAX_TRANSPORTS = 10_000


def fd_of(runtime: Runtime, transport: int) -> int | None:
    """The fd of a transport of uvloop's, through its TLS; None for any other, once it is closed, and in doubt."""
    try:
        below = _below_tls(runtime, transport) if transport else None
        return None if below is None else _fd(runtime, below)
    except Unreadable:
        return None


def _below_tls(runtime: Runtime, transport: int) -> int | None:
    if runtime.objects.is_a(transport, TLS_TRANSPORT):
        protocol = cython_fields.field(runtime, transport, TLS)
        found = cython_fields.field(runtime, protocol[1], HANDLE) if protocol else None
        return found[1] if found else None
    return transport if runtime.objects.is_a(transport, HANDLE) else None


def _fd(runtime: Runtime, transport: int) -> int | None:
    objects = runtime.objects
    handle, owner = objects.read_word(transport + OWN_HANDLE), cython_fields.field(runtime, transport, LOOP)
    if not handle or owner is None or objects.read_word(handle) != transport:
        return None
    if objects.read_word(objects.read_word(handle + UV_LOOP)) != owner[1]:
        return None
    place = UV_FD.get(objects.read_int(handle + UV_TYPE))
    fd = objects.read_int(handle + place) if place is not None else -1
    return fd if fd >= 0 else None


def held_by_transports(runtime: Runtime, loop: int) -> Iterator[tuple[int, int]]:
    """(fd, object) of each transport of a uvloop (`_transports`), for all that its fields hold, or those of its TLS:
    the protocol is one of them.
    """
    mapping = cython_fields.field(runtime, loop, MAPPING) if runtime.objects.is_a(loop, LOOP) else None
    data = runtime.objects.attribute(mapping[1], "data") if mapping else None
    for _, reference in runtime.objects.pairs(data, MAX_TRANSPORTS) if data else []:
        transport = runtime.objects.referent(reference)
        fd = fd_of(runtime, transport) if transport is not None else None
        if transport is None or fd is None:
            continue
        tls = cython_fields.field(runtime, transport, TLS)
        for _, held in cython_fields.pointers(runtime, tls[1] if tls else transport):
            yield fd, held


def of_future(runtime: Runtime, future: int, info: TypeInfo) -> tuple[int, bool] | None:
    """(fd, whether it waits until that takes bytes) of what `loop.sock_recv()` and the like wait for; None for any
    other future."""
    writable = next((FUTURES[base] for base in info.bases if base in FUTURES), None)
    if writable is None:
        return None
    for held in attributes.read_values(runtime.objects, future):
        if SOCKET in runtime.objects.type_of(held).bases:
            fd = runtime.objects.read_int(held + runtime.layout.socket_fd)
            return (fd, writable) if fd >= 0 else None
    return None
