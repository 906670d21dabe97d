"""Tasks that wait in a library's close, and what will end that wait."""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.snapshot import Level, Task, TcpInfo, Timer, WebSocket
from qqdiag.waits import View, has_level, innermost_at
from qqdiag.waits.graph import timers_of
from qqdiag.waits.loops import turns
from qqdiag.waits.traffic import tcp_of
from qqdiag.waits.writes import drain_level

# path below site-packages or the standard library, qualname
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
SLACK = 2.0  # seconds between the reads of sockets and memory, and a timer rounded up to a whole second by aiohttp


@dataclass(frozen=True, slots=True)
class Close:
    """A close in progress and its numbers."""

    task: Task
    level: Level
    websocket: WebSocket | None
    fd: int | None
    tcp: TcpInfo | None
    timers: list[Timer]  # that will end it, soonest first
    same: bool | None  # the same call was there in the earlier sample; None: one sample
    age: float  # at least so many seconds: a closing socket sends nothing after its CLOSE

    @property
    def limit(self) -> float | None:
        """Seconds that the library waits for one message of the peer."""
        return self.websocket.close_timeout if self.websocket else None


def closes(view: View) -> list[Close]:
    """Every pending task in a library's close, on a loop that turns; not those that end in a drain (`writes`)."""
    found = []
    for task in view.tasks.values():
        level = innermost_at(view, task.chain, CLOSES) if task.state.reveal() == "pending" else None
        if level is not None and drain_level(view, task) is None and turns(view, task):
            found.append(_close(view, task, level))
    inner = {close.task.leaf.task or close.task.leaf.address for close in found if close.task.leaf}
    return [close for close in found if close.task.address not in inner]


def _close(view: View, task: Task, level: Level) -> Close:
    held = [ws for ws in view.websockets if task.address in ws.holders and (ws.closing or ws.closed)]
    websocket = next((ws for ws in held if ws.fd is not None), held[0] if held else None)
    fd = websocket.fd if websocket else _closing_fd(view, task)
    figures = tcp_of(view, fd)
    same = has_level(view, task, level)
    return Close(
        task=task,
        level=level,
        websocket=websocket,
        fd=fd,
        tcp=figures[1] if figures else None,
        timers=timers_of(view.graph, task),
        same=same,
        age=max(view.interval if same else 0.0, figures[1].last_data_sent if figures else 0.0),
    )


def _closing_fd(view: View, task: Task) -> int | None:
    """The socket of a session's close: a transport that is closing and still has bytes to send."""
    loop = view.loops.get(task.loop)
    return next((item.fd for item in loop.transports if item.closing and item.buffered), None) if loop else None


def restarted(view: View, close: Close) -> bool:
    """Whether the peer's messages keep the close alive: older than its limit, or its timer younger than its CLOSE."""
    deadline = close.timers[0].when_at
    if close.limit is not None and close.tcp is not None:
        if close.age > close.limit + SLACK:
            return True
        if close.tcp.last_data_received + SLACK < close.age:
            return deadline - close.limit > view.now - close.age + SLACK
    before = view.tasks_before.get(close.task.address)
    old = timers_of(view.graph_before, before) if before and close.same else []
    return bool(old) and old[0].when_at < deadline - 0.001


def tls_shutdown(view: View, close: Close) -> float | None:
    """Seconds until asyncio aborts a TLS shutdown (Lib/asyncio/sslproto.py, 3.11), when one is under way."""
    loop = view.loops.get(close.task.loop)
    timers = (
        [timer for timer in loop.timers if "SSLProtocol._start_shutdown" in timer.callback.reveal()] if loop else []
    )
    return max(0.0, max(timer.when_at for timer in timers) - view.now) if timers else None
