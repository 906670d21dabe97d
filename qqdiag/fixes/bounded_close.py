"""bounded-close: one deadline over close frame, drain and session, then the transport is aborted.

`ws_close` of aiohttp 3.11-3.14 bounds the wait for *one* message, not the close: a peer that keeps sending frames and
never answers CLOSE holds `ClientWebSocketResponse.close()` for ever, and its drain has no timeout at all (aiohttp
client_ws.py `close`, base_protocol.py `_drain_helper`). From aiohttp 3.12.4 on `ClientSession.close()` waits for each
connection (aiohttp #11074), for ever where unsent bytes never leave.
"""

from __future__ import annotations

import asyncio

import aiohttp

CUT = 0.5  # seconds for a session to close when its connection was cut


def transport_of(ws: aiohttp.ClientWebSocketResponse) -> asyncio.Transport | None:
    """The transport below `ws`; None when it is gone. aiohttp has no public way to it: get_extra_info stops short."""
    connection = ws._response.connection
    return None if connection is None else connection.transport


def abort(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Cut the connection now: whoever receives or drains on it is woken with an error."""
    transport = transport_of(ws)
    if transport is not None:
        transport.abort()


async def close_within(
    ws: aiohttp.ClientWebSocketResponse | None, session: aiohttp.ClientSession | None, seconds: float
) -> bool:
    """Close both within `seconds` in all; False when they had to be cut."""
    # close() lets go of its transport without waiting for it, so it is remembered before.
    transport = None if ws is None else transport_of(ws)
    try:
        async with asyncio.timeout(seconds):
            await _close(ws, session)
    except TimeoutError:
        if transport is not None:
            transport.abort()
        await _give_up(session)
        return False
    finally:
        if transport is not None:
            transport.abort()
    return True


async def _close(ws: aiohttp.ClientWebSocketResponse | None, session: aiohttp.ClientSession | None) -> None:
    if ws is not None:
        await ws.close()
    if session is not None:
        await session.close()


async def _give_up(session: aiohttp.ClientSession | None) -> None:
    """Let go of what the session holds; a cut connection is closed in the loop's next turn."""
    if session is None:
        return
    try:
        async with asyncio.timeout(CUT):
            await session.close()
    except TimeoutError:
        return
