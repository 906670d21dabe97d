"""closed-read: a closed WebSocket is an error, never a normal return.

A read loop that returns when its WebSocket is closed or absent looks like a success to its caller. Where a failed
reconnect leaves the old, closed WebSocket in place, such a loop is called again at once, returns again, and never
awaits: the whole event loop stands still at 100 % CPU.
"""

from __future__ import annotations

import aiohttp


class Closed(ConnectionError):
    """The WebSocket ended; `code` is the close code, None when there was none."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"WebSocket closed with {code}")
        self.code = code


def usable(ws: aiohttp.ClientWebSocketResponse | None) -> aiohttp.ClientWebSocketResponse:
    """`ws` when something can still be received on it.

    :raises Closed: otherwise
    """
    if ws is None or ws.closed:
        raise Closed(None if ws is None else ws.close_code)
    return ws
