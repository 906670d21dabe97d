"""What the socket under a WebSocket says: what moved between the samples, and which questions had no answer."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from qqdiag.model import Missing, Say
from qqdiag.profiles import profiles
from qqdiag.snapshot import Adapter, Gateway, Socket, TcpInfo, WebSocket
from qqdiag.waits import View

NO_TCP = Missing(
    Say("the kernel's TCP figures of the WebSocket's socket could not be had"),
    Say("run it as root on the machine of the gateway: sudo qqdiag doctor"),
)


@dataclass(frozen=True, slots=True)
class Motion:
    """What moved on one socket between the samples; a number is None where the kernel did not count it."""

    acked: int | None  # bytes that the peer acknowledged
    received: int | None  # bytes
    segments_out: int | None  # with data
    segments_in: int | None  # with data


def tcp_of(view: View, fd: int | None) -> tuple[Socket, TcpInfo] | None:
    """The socket row at `fd` with its TCP figures."""
    row = view.sockets.get(fd) if fd is not None else None
    return (row, row.tcp) if row is not None and isinstance(row.tcp, TcpInfo) else None


def motion(view: View, fd: int | None) -> Motion | None:
    """What moved at `fd`; None with one sample, or when another socket sat there before."""
    now = tcp_of(view, fd)
    before = view.sockets_before.get(now[0].fd) if now else None
    if now is None or before is None or before.inode != now[0].inode or not isinstance(before.tcp, TcpInfo):
        return None
    old, new = before.tcp, now[1]
    return Motion(
        acked=_grown(old.bytes_acked, new.bytes_acked),
        received=_grown(old.bytes_received, new.bytes_received),
        segments_out=_grown(old.segments_out, new.segments_out),
        segments_in=_grown(old.segments_in, new.segments_in),
    )


def _grown(old: int | None, new: int | None) -> int | None:
    return None if old is None or new is None else new - old


def adapter_of(view: View, websocket: WebSocket) -> Adapter | None:
    """The adapter that a profile recognised and whose WebSocket this is."""
    gateway = view.last.gateway
    adapters = gateway.adapters if isinstance(gateway, Gateway) else []
    return next((adapter for adapter in adapters if adapter.websocket == websocket.address), None)


def period_of(view: View, websocket: WebSocket) -> float | None:
    """Seconds between two sends: the profile's heartbeat interval, or the sleep of a task that sends on it."""
    adapter = adapter_of(view, websocket)
    for attribute in adapter.attributes if adapter else []:
        if attribute.name.reveal() == "heartbeat_interval" and attribute.number and attribute.number > 0:
            return attribute.number
    return websocket.send_period


def unanswered(tcp: TcpInfo, period: float | None) -> int:
    """How many sends have gone out since the last byte came in.

    At least one when the last send is younger than the last byte received by more than a reply takes (one second,
    or four round trips: a PONG leaves within that of its PING); with a period, one more for each that fits between.
    """
    gap = tcp.last_data_received - tcp.last_data_sent
    if gap <= 4 * tcp.rtt:
        return 0
    if period is not None and period > 0:
        return 1 + floor((gap - 4 * tcp.rtt) / period)
    return 1 if gap > 1.0 else 0


def answered(tcp: TcpInfo, pending: int) -> bool:
    """Whether the peer used to answer: apart from the pending ones, it sent at least every other time that we did."""
    if tcp.segments_in is None or tcp.segments_out is None:
        return False
    return tcp.segments_in >= 2 and 2 * tcp.segments_in >= tcp.segments_out - pending


def heartbeat_answered(view: View, websocket: WebSocket) -> bool:
    """Whether the profile of its adapter says that each heartbeat is answered."""
    adapter = adapter_of(view, websocket)
    if adapter is None:
        return False
    names = (adapter.profile.reveal(), adapter.platform.reveal())
    shapes = [(p.id, shape) for p in profiles() for shape in p.adapters]
    return any((profile, shape.platform) == names and shape.heartbeat_answered for profile, shape in shapes)


def in_flight_for(tcp: TcpInfo) -> float:
    """At least so many seconds has a segment been in flight: its retransmission timer has doubled that often.

    The timeout is doubled with each retransmission (RFC 6298, 5.5), so that all before it together make one less.
    """
    return min(tcp.last_ack_received, tcp.rto * (1.0 - 0.5**tcp.backoff))
