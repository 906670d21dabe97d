"""WebSockets whose sends have no answer: how many, since when, and whether an answer was to be expected."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from qqdiag.profiles import profiles
from qqdiag.snapshot import Adapter, Gateway, Socket, TcpInfo, WebSocket
from qqdiag.waits import View
from qqdiag.waits.traffic import motion, tcp_of

SLACK = 0.5  # seconds between the reads of sockets and of memory
QUIET = 1.5  # seconds without a byte: an application that answers at all does so within that


@dataclass(frozen=True, slots=True)
class Silence:
    """What went out on a WebSocket since the last byte came in."""

    websocket: WebSocket
    row: Socket
    tcp: TcpInfo
    count: int  # sends without an answer, at least
    settled: bool  # none of them is on its way right now
    period: float | None  # seconds between two sends
    expected: bool  # the protocol answers each heartbeat, says the profile; or a PING of the library is not answered
    answered: bool  # before, the peer sent about as often as we did
    segments: int | None  # sent between the samples while none came in
    pings: int = 0  # of the library's own, without a PONG and without any other byte since
    ping_age: float = 0.0  # seconds since the first of them

    @property
    def gives_up(self) -> bool:
        """Whether the library ends the connection itself when the PONG does not come in time."""
        return bool(self.pings) and self.websocket.pong_timeout_known and self.websocket.pong_timeout is not None

    @property
    def delivered(self) -> bool:
        """Whether all of it is with the peer's kernel, and nothing of the peer's is still to be read."""
        waits = self.row.receive_queue or self.websocket.unread or self.row.send_queue
        return not waits and not self.tcp.unacked


def silences(view: View, websockets: list[WebSocket]) -> list[Silence]:
    """One for each of the WebSockets whose TCP figures are known."""
    found = [(websocket, tcp_of(view, websocket.fd)) for websocket in websockets]
    return [_silence(view, websocket, *figures) for websocket, figures in found if figures is not None]


def _silence(view: View, websocket: WebSocket, row: Socket, tcp: TcpInfo) -> Silence:
    adapter = adapter_of(view, websocket)
    period = period_of(adapter, websocket)
    moved = motion(view, row.fd)
    segments = moved.segments_out if moved is not None and moved.segments_in == 0 else None
    pings, ping_age = _pings(view, websocket, tcp)
    count = max(unanswered(tcp, period), pings) if tcp.last_data_received > QUIET else 0
    return Silence(
        websocket=websocket,
        row=row,
        tcp=tcp,
        count=max(count, segments or 0) if count else 0,
        settled=_settled(view, row, tcp, period),
        period=period,
        expected=_expected(adapter) or pings > 0,
        answered=_answered(tcp, count),
        segments=segments,
        pings=pings if count else 0,
        ping_age=ping_age,
    )


def _pings(view: View, websocket: WebSocket, tcp: TcpInfo) -> tuple[int, float]:
    """(PINGs of the library since which nothing has come, seconds since the first): a PONG must follow each
    (RFC 6455, 5.5.2). A peer that sends anything else is there, whatever it does with PINGs."""
    if not websocket.pings or websocket.ping_sent_at is None:
        return 0, 0.0
    age = view.now - websocket.ping_sent_at
    return (websocket.pings, age) if tcp.last_data_received > age - SLACK else (0, 0.0)


def _settled(view: View, row: Socket, tcp: TcpInfo, period: float | None) -> bool:
    """Whether the last send has had time for an answer, or there was a silence already in the earlier sample."""
    if tcp.last_data_sent > max(1.0, 8 * tcp.rtt):
        return True
    before = view.sockets_before.get(row.fd)
    if before is None or before.inode != row.inode or not isinstance(before.tcp, TcpInfo):
        return False
    return unanswered(before.tcp, period) > 0


def unanswered(tcp: TcpInfo, period: float | None) -> int:
    """How many sends have gone out since the last byte came in, by the ages of both and the period of sending.

    None when the last byte is younger than the last send, or older by no more than what a reply takes (four round
    trips: a PONG leaves right after its PING). Without a period one, when it is older by a second.
    """
    gap = tcp.last_data_received - tcp.last_data_sent - 4 * tcp.rtt
    if gap <= 0:
        return 0
    if period is not None and period > 0:
        return 1 + floor(gap / period)
    return 1 if gap > 1.0 else 0


def _answered(tcp: TcpInfo, pending: int) -> bool:
    """Whether the peer used to answer: apart from the pending ones, it sent at least every other time that we did."""
    if tcp.segments_in is None or tcp.segments_out is None:
        return False
    return tcp.segments_in >= 2 and 2 * tcp.segments_in >= tcp.segments_out - pending


def adapter_of(view: View, websocket: WebSocket) -> Adapter | None:
    """The adapter that a profile recognised and whose WebSocket this is."""
    gateway = view.last.gateway
    adapters = gateway.adapters if isinstance(gateway, Gateway) else []
    return next((adapter for adapter in adapters if adapter.websocket == websocket.address), None)


def period_of(adapter: Adapter | None, websocket: WebSocket) -> float | None:
    """Seconds between heartbeats: the adapter's interval or the sleep of a task that sends, the longer of both.

    Both, because the interval that the server gave counts only from the next sleep on.
    """
    found = [websocket.send_period] if websocket.send_period else []
    for attribute in adapter.attributes if adapter else []:
        if attribute.name.reveal() == "heartbeat_interval" and attribute.number and attribute.number > 0:
            found.append(attribute.number)
    return max(found, default=None)


def _expected(adapter: Adapter | None) -> bool:
    """Whether the adapter's profile says that each heartbeat is answered."""
    if adapter is None:
        return False
    name = (adapter.profile.reveal(), adapter.platform.reveal())
    shapes = [(profile.id, shape) for profile in profiles() for shape in profile.adapters]
    return any((profile, shape.platform) == name and shape.heartbeat_answered for profile, shape in shapes)
