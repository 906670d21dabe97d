"""Which fd a wait is for: through the transport that a coroutine of a library reads or writes, or the selector."""

from __future__ import annotations

from typing import NamedTuple

from qqdiag.cpython import attributes, callbacks, held
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Level

MAX_WATCHED = 2_000
READ, WRITE = 1, 2  # selectors.EVENT_READ, EVENT_WRITE
HANDLE = ("_cancelled", "_callback", "_args")
OUTWARD = 4  # levels from the innermost on in which a library's coroutine is looked for


class Watched(NamedTuple):
    """An fd, and whether the wait is for room to write (True) or for bytes to read (False); None: not known."""

    fd: int
    writable: bool | None


class Wait(NamedTuple):
    """A coroutine that waits for its socket: the end of its file's path, how its `self` leads to the transport, and
    which way the bytes go."""

    path: str
    attributes: tuple[str, ...]
    writable: bool | None


# By qualname. asyncio: Lib/asyncio/streams.py; the others as of aiohttp 3.9 to 3.13, websockets 13 to 15, anyio 4.
WAITS = {
    "StreamReader._wait_for_data": Wait("asyncio/streams.py", ("_transport",), False),
    "StreamWriter.drain": Wait("asyncio/streams.py", ("_transport",), True),
    "StreamWriter.wait_closed": Wait("asyncio/streams.py", ("_transport",), None),
    "StreamReader._wait": Wait("aiohttp/streams.py", ("_protocol", "transport"), False),
    "DataQueue.read": Wait("aiohttp/streams.py", ("transport",), False),
    "WebSocketDataQueue.read": Wait("aiohttp/_websocket/reader_py.py", ("_protocol", "transport"), False),
    "BaseProtocol._drain_helper": Wait("aiohttp/base_protocol.py", ("transport",), True),
    "Connection.recv": Wait("websockets/asyncio/connection.py", ("transport",), False),
    "Connection.drain": Wait("websockets/asyncio/connection.py", ("transport",), True),
    "SocketStream.receive": Wait("anyio/_backends/_asyncio.py", ("_transport",), False),
    "SocketStream.send": Wait("anyio/_backends/_asyncio.py", ("_transport",), True),
}


def of_levels(runtime: Runtime, levels: list[Level]) -> Watched | None:
    """The fd that the innermost coroutines of a chain wait for, where one of them is in WAITS."""
    seen = 0
    for level in reversed(levels):
        if level.code is None:
            continue
        wait = WAITS.get(level.name.reveal())
        if wait is not None and runtime.codes.table[level.code].path.reveal().endswith(wait.path):
            stream = held.own(runtime, level)
            fd = _follow(runtime, stream, wait.attributes) if stream else None
            return None if fd is None else Watched(fd, wait.writable)
        seen += 1
        if seen == OUTWARD:
            break
    return None


def _follow(runtime: Runtime, address: int, names: tuple[str, ...]) -> int | None:
    for name in names:
        inner = runtime.objects.attribute(address, name)
        if inner is None:
            return None
        address = inner
    return of_transport(runtime, address)


def of_transport(runtime: Runtime, address: int) -> int | None:
    """The fd of asyncio's transport of a socket or a pipe, through TLS; None for any other, and once it is closed."""
    objects = runtime.objects
    if tls := objects.attribute(address, "_ssl_protocol"):
        below = objects.attribute(tls, "_transport")
        if below is None:
            return None
        address = below
    for name in ("_sock_fd", "_fileno"):
        if number := objects.attribute(address, name):
            return objects.integer(number)
    return None


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
