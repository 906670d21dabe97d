"""What a socket's TCP figures say: what moved between the samples, and how long a segment has been in flight."""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.model import Missing, Say
from qqdiag.snapshot import Socket, TcpInfo
from qqdiag.waits import View

NO_TCP = Missing(
    Say("the kernel's TCP figures of the WebSocket's socket could not be had"),
    Say('run it as root on the machine of the gateway, as in: sudo "$(command -v qqdiag)" inspect'),
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


def in_flight_for(tcp: TcpInfo) -> float:
    """At least so many seconds has a segment been in flight: its retransmission timer has doubled that often.

    The timeout is doubled with each retransmission (RFC 6298, 5.5), so that all before it together make one less.
    """
    return min(tcp.last_ack_received, tcp.rto * (1.0 - 0.5**tcp.backoff))


def moved_anywhere(view: View) -> bool | None:
    """Whether any TCP connection moved a byte between the samples, or came or went; None where that is not known."""
    sections = [sample.sockets for sample in (view.last, view.earlier) if sample is not None]
    if len(sections) < 2 or any(isinstance(section, Missing) for section in sections):
        return None
    now, before = _connections(view.sockets), _connections(view.sockets_before)
    if {fd: row.inode for fd, row in now.items()} != {fd: row.inode for fd, row in before.items()}:
        return True
    moves = [motion(view, fd) for fd, row in now.items() if row.state.reveal() != "LISTEN"]
    if any(move is not None and (move.acked or move.received) for move in moves):
        return True
    return None if None in moves else False


def _connections(rows: dict[int, Socket]) -> dict[int, Socket]:
    return {fd: row for fd, row in rows.items() if row.protocol.reveal() == "tcp"}
