"""The WebSockets of the websockets library: attributes of asyncio/connection.py (13 to 17) and legacy/protocol.py."""

from __future__ import annotations

from dataclasses import replace

from qqdiag.profiles import WebSocketShape

CLIENT = WebSocketShape(
    library="websockets",
    type_name="websockets.asyncio.client.ClientConnection",
    code="websockets/",
    receives=("recv",),
    transport=("transport",),
    state=("protocol._state", "protocol.state"),  # websockets.protocol.State, behind a property since 17
    closing_from=2,
    closed_from=3,
    close_timeout=("close_timeout",),
    messages=("recv_messages.frames.queue",),
    message="data",
    ping_interval=("ping_interval",),
    pong_timeout=("ping_timeout",),
    pings=("pending_pings",),
)
SERVER = replace(CLIENT, type_name="websockets.asyncio.server.ServerConnection", server=True)
LEGACY = replace(
    CLIENT,
    type_name="websockets.legacy.client.WebSocketClientProtocol",
    state=("state",),
    messages=("messages",),
    message="",
    pings=("pings",),
)
LEGACY_SERVER = replace(LEGACY, type_name="websockets.legacy.server.WebSocketServerProtocol", server=True)

WEBSOCKETS = (CLIENT, SERVER, LEGACY, LEGACY_SERVER)
