"""What the lab's server does to a connection once: CLOSE, FIN without CLOSE, RST, and the frames that precede them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from qqdiag.lab.platform import USER, Connection, Platform, dispatch, message, send

RECONNECT, INVALID_SESSION, HELLO = 7, 9, 10


async def close(platform: Platform, code: int) -> None:
    """A CLOSE frame with `code`, then the end of the connection, as the platform does after 4009."""
    await asyncio.gather(*(connection.ws.close(code=code) for connection in list(platform.connections)))


async def reconnect(platform: Platform) -> None:
    """Op 7: the client is asked to connect anew."""
    for connection in list(platform.connections):
        await send(platform, connection, {"op": RECONNECT})


async def invalid_session(platform: Platform) -> None:
    """Op 9: the session is gone."""
    for connection in list(platform.connections):
        await send(platform, connection, {"op": INVALID_SESSION, "d": False})


async def bad_hello(platform: Platform) -> None:
    """A frame that no client can use, while the WebSocket stays open."""
    for connection in list(platform.connections):
        await send(platform, connection, {"op": HELLO, "d": {"heartbeat_interval": None}})


async def frame(platform: Platform, text: str) -> None:
    """Any text, as a frame."""
    for connection in list(platform.connections):
        await connection.ws.send_str(text)


async def fin(platform: Platform) -> None:
    """The end of the stream without a CLOSE frame, and under TLS without close_notify."""
    for connection in list(platform.connections):
        with contextlib.suppress(OSError):  # the client was faster
            _socket(connection).shutdown(socket.SHUT_WR)


async def rst(platform: Platform) -> None:
    """A reset: a lingering time of zero, then the socket is closed (socket(7), SO_LINGER)."""
    for connection in list(platform.connections):
        with contextlib.suppress(OSError):
            _socket(connection).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.transport.abort()


async def deafen(platform: Platform) -> None:
    """Nothing more is read from those that are connected now; the ones that come later are served."""
    for connection in list(platform.connections):
        connection.deaf = True
        connection.transport.pause_reading()


async def close_idle(platform: Platform) -> None:
    """Close the keep-alive connections of REST clients, as a server does with idle ones."""
    for transport in platform.rest:
        transport.close()
    platform.rest.clear()


async def say(
    platform: Platform,
    content: str,
    count: int = 1,
    attachments: list[dict[str, str]] | None = None,
    user: str = USER,
) -> None:
    """A user says `content`, `count` times, to every session that is connected."""
    for connection in list(platform.connections):
        for _ in range(count if connection.session else 0):
            assert connection.session is not None
            body = message(platform, content, attachments, user)
            await dispatch(platform, connection.session, "C2C_MESSAGE_CREATE", body)


def _socket(connection: Connection) -> socket.socket:
    sock: socket.socket = connection.transport.get_extra_info("socket")
    return sock
