"""aiohttp's WebSockets: attributes of client_ws.py and web_ws.py, 3.8 to 3.14."""

from __future__ import annotations

from dataclasses import replace

from qqdiag.profiles import WebSocketShape

CLIENT = WebSocketShape(
    library="aiohttp",
    type_name="aiohttp.client_ws.ClientWebSocketResponse",
    code="aiohttp/",
    receives=("receive",),
    transport=("_writer.transport", "_conn._protocol.transport"),
    closed=("_closed",),
    closing=("_closing",),
    opened=("_writer",),
    close_code=("_close_code",),
    close_timeout=("_timeout.ws_close", "_timeout"),  # before 3.11 the number itself
    receive_timeout=("_receive_timeout", "_timeout.ws_receive"),
    queued=("_reader._size",),  # of a WebSocketDataQueue in Python; in Cython its fields have no names
    queue=("_reader",),
    queue_before="aiohttp.base_protocol.BaseProtocol",
    ping_interval=("_heartbeat",),
    pong_timeout=("_pong_heartbeat",),
    pong_timer=("_pong_response_cb",),
)
# Newer ones keep False in the class for `closed` and `closing`; one without a writer is not prepared yet.
SERVER = replace(CLIENT, type_name="aiohttp.web_ws.WebSocketResponse", server=True)

WEBSOCKETS = (CLIENT, SERVER)
