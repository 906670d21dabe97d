"""Where a library waits until its peer reads: the writer's drain, and the places where a library closes."""

from __future__ import annotations

from qqdiag.snapshot import Level, Task
from qqdiag.waits import View, is_at

# path below site-packages or the standard library, qualname
DRAINS = (
    ("aiohttp/base_protocol.py", "BaseProtocol._drain_helper"),
    ("asyncio/streams.py", "FlowControlMixin._drain_helper"),
    ("asyncio/streams.py", "StreamWriter.drain"),
    ("websockets/asyncio/connection.py", "Connection.drain"),
    ("websockets/legacy/protocol.py", "WebSocketCommonProtocol._drain"),
    ("websockets/legacy/protocol.py", "WebSocketCommonProtocol._drain_helper"),
    ("anyio/_backends/_asyncio.py", "SocketStream.send"),
)
CLOSES = (
    ("aiohttp/client_ws.py", "ClientWebSocketResponse.close"),
    ("aiohttp/client.py", "ClientSession.close"),
    ("aiohttp/connector.py", "_wait_for_close"),
    ("aiohttp/connector.py", "_DeprecationWaiter.__await__"),
    ("aiohttp/connector.py", "TCPConnector.close"),
    ("aiohttp/connector.py", "BaseConnector.close"),
    ("websockets/asyncio/connection.py", "Connection.close"),
    ("websockets/legacy/protocol.py", "WebSocketCommonProtocol.close"),
    ("asyncio/streams.py", "StreamWriter.wait_closed"),
    ("anyio/streams/tls.py", "TLSStream.aclose"),
    ("anyio/streams/tls.py", "TLSStream.unwrap"),
)


def drain_level(view: View, task: Task) -> Level | None:
    """The level that waits for the peer to read, when the chain ends in one (what encloses it does not matter)."""
    return _innermost(view, task.chain[-4:], DRAINS)


def close_level(view: View, task: Task) -> Level | None:
    """The innermost level that is a library's close."""
    return _innermost(view, task.chain, CLOSES)


def _innermost(view: View, levels: list[Level], places: tuple[tuple[str, str], ...]) -> Level | None:
    for level in reversed(levels):
        if any(is_at(view, level, path, name) for path, name in places):
            return level
    return None
