"""Who waits for a PONG: websockets' `ping()` gives its caller a future, which stands in the connection's own table."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from qqdiag.cpython import uvloop_handles
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Transport

MAX_PINGS = 1_000  # of one connection
# By class, the dict of tuples that begin with the future (websockets 13 to 17; legacy since 10).
TABLES = {
    "websockets.asyncio.connection.Connection": "pending_pings",
    "websockets.legacy.protocol.WebSocketCommonProtocol": "pings",
}


class Pong(NamedTuple):
    """A PING that is not answered: the fd and the WebSocket it was sent on."""

    fd: int
    websocket: int


def by_future(runtime: Runtime, transports: list[Transport], loops: list[int]) -> dict[int, Pong]:
    """The futures in the tables of the WebSockets that sit on these transports, or on those of a uvloop."""
    found: dict[int, Pong] = {}
    protocols = [(row.fd, row.protocol_address) for row in transports if row.protocol_address]
    for fd, protocol in [*protocols, *_of_uvloops(runtime, loops)]:
        try:
            for future in _waiters(runtime, protocol):
                found.setdefault(future, Pong(fd, protocol))
        except Unreadable:
            continue
    return found


def _of_uvloops(runtime: Runtime, loops: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for loop in loops:
        with contextlib.suppress(Unreadable):
            found.extend(uvloop_handles.held_by_transports(runtime, loop))
    return found


def _waiters(runtime: Runtime, protocol: int) -> list[int]:
    objects = runtime.objects
    names = [TABLES[base] for base in objects.type_of(protocol).bases if base in TABLES]
    table = objects.attribute(protocol, names[0]) if names else None
    entries = [objects.items(entry, 1) for _, entry in objects.pairs(table, MAX_PINGS)] if table else []
    return [entry[0] for entry in entries if entry]
