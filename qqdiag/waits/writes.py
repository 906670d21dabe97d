"""Tasks that wait until a peer reads: chains that end in a writer's drain, and the transport that they wait for."""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.snapshot import Level, Socket, Task, TcpInfo, Transport
from qqdiag.waits import View, innermost_at
from qqdiag.waits.graph import timers_of
from qqdiag.waits.loops import turns
from qqdiag.waits.traffic import in_flight_for, tcp_of

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
LAST = 4  # levels from the end: the drain, and the awaitables of C below it


@dataclass(frozen=True, slots=True)
class Write:
    """A write that waits, and the socket it waits for."""

    task: Task
    level: Level
    transport: Transport | None
    row: Socket | None
    tcp: TcpInfo | None
    ends_in: float | None  # seconds to the timer that gives it up

    @property
    def age(self) -> float:
        """Seconds since the last byte left. A retransmission counts as sent, so that it is told by its timer."""
        if self.tcp is None:
            return 0.0
        return max(self.tcp.last_data_sent, in_flight_for(self.tcp) if self.tcp.retransmits else 0.0)

    @property
    def queued(self) -> int:
        """Bytes that wait in the kernel and in the transport."""
        return (self.row.send_queue or 0 if self.row else 0) + (self.transport.buffered or 0 if self.transport else 0)


def drain_level(view: View, task: Task) -> Level | None:
    """The drain that the chain ends in; what encloses it does not matter."""
    return innermost_at(view, task.chain[-LAST:], DRAINS)


def writes(view: View) -> list[Write]:
    """Every pending task that waits in a drain, on a loop that turns."""
    found = []
    for task in view.tasks.values():
        level = drain_level(view, task) if task.state.reveal() == "pending" else None
        if level is not None and turns(view, task):
            found.append(_write(view, task, level))
    return found


def _write(view: View, task: Task, level: Level) -> Write:
    transport = _transport(view, task)
    figures = tcp_of(view, transport.fd) if transport else None
    timers = timers_of(view.graph, task)
    ends_in = timers[0].when_at - view.now if timers else None
    return Write(task, level, transport, figures[0] if figures else None, figures[1] if figures else None, ends_in)


def _transport(view: View, task: Task) -> Transport | None:
    """The transport it writes to: its leaf's, its WebSocket's, or the one of its loop that is told to pause."""
    loop = view.loops.get(task.loop)
    paused = [item for item in loop.transports if item.writing_paused or item.buffered] if loop else []
    held = {ws.fd for ws in view.websockets if task.address in ws.holders}
    for fds in ({task.leaf.fd} if task.leaf else set(), held):
        if mine := [item for item in paused if item.fd in fds]:
            return mine[0]
    return paused[0] if len(paused) == 1 else None
