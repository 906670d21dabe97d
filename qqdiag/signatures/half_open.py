"""F07: the path to the peer is dead and TCP says so: what was sent stays unacknowledged and is sent again and again.

Nearest look-alike: a missing ACK of the application (`missing-ack`). There the peer's kernel acknowledges each
segment; here the last acknowledgement is older than the retransmissions.
"""

from __future__ import annotations

from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown
from qqdiag.model import Say, Seconds, times
from qqdiag.snapshot import Socket, TcpInfo, WebSocket
from qqdiag.waits import View
from qqdiag.waits.listeners import is_open
from qqdiag.waits.traffic import NO_TCP, in_flight_for, tcp_of

ID = "half-open"
SEVERITY = Severity.DEGRADED  # the kernel gives up in the end
TITLE = "The connection's path is dead and neither side was told"

RETRIES = 3  # retransmissions of one segment; fewer are ordinary loss
LONG = 15.0  # seconds without an acknowledgement while data is in flight
GIVES_UP = 924.6  # seconds: net.ipv4.tcp_retries2 = 15 (Documentation/networking/ip-sysctl.rst)


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("gateway"):
        return Unknown(lacks)
    if not (opened := [ws for ws in view.websockets if is_open(ws) and ws.fd is not None]):
        return NoMatch(Say("there is no open WebSocket"))
    if lacks := view.lacks("sockets"):
        return Unknown(lacks)
    live = [ws for ws in opened if _established(view, ws)]
    seen = [(ws, figures) for ws in live if (figures := tcp_of(view, ws.fd)) is not None]
    if found := [_finding(ws, row, tcp) for ws, (row, tcp) in seen if _dead(tcp)]:
        return Match(tuple(found))
    if len(seen) < len(live):
        return Unknown((NO_TCP,))
    return NoMatch(Say("the peer's kernel acknowledges what is sent, or nothing is in flight"))


def _established(view: View, websocket: WebSocket) -> bool:
    row = view.sockets.get(websocket.fd) if websocket.fd is not None else None
    return row is not None and row.state.reveal() in ("ESTAB", "CLOSE-WAIT")


def _dead(tcp: TcpInfo) -> bool:
    return tcp.unacked > 0 and max(tcp.retransmits, tcp.backoff) >= RETRIES and not tcp.receive_window_limited


def _finding(websocket: WebSocket, row: Socket, tcp: TcpInfo) -> Finding:
    age = in_flight_for(tcp)
    sure = age >= LONG
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
        because=_because(sure),
        summary=Say(
            "The path of {type} (fd {fd}) is dead for at least {age}; the kernel gives it up within {left}.",
            type=websocket.type,
            fd=row.fd,
            age=Seconds(age),
            left=Seconds(max(0.0, GIVES_UP - age)),
        ),
        evidence=_evidence(row, tcp),
        ruled_out=(
            RuledOut(
                "missing-ack", Say("{unacked} segments are not acknowledged by the peer's kernel", unacked=tcp.unacked)
            ),
            RuledOut("dead-listener", Say("nothing arrives that a listener could read")),
        ),
        tasks=tuple(websocket.readers),
        sockets=(row.fd,),
    )


def _because(sure: bool) -> Say:
    if sure:
        return Say("data is in flight and the peer's kernel has acknowledged nothing through all its retransmissions")
    return Say("the retransmissions have only begun; a short loss on the way would still heal")


def _evidence(row: Socket, tcp: TcpInfo) -> tuple[Evidence, ...]:
    acked, received = Seconds(tcp.last_ack_received), Seconds(tcp.last_data_received)
    return (
        Evidence(
            Say("last acknowledgement {acked} ago, last data {received} ago", acked=acked, received=received),
            "sockets",
            acked,
            "s",
        ),
        Evidence(
            Say(
                "the segment in flight was sent again {times}; the next wait is {rto}",
                times=times(tcp.retransmits),
                rto=Seconds(tcp.rto),
            ),
            "sockets",
            tcp.retransmits,
            "retransmissions",
        ),
        Evidence(
            Say("{queue} bytes wait for an acknowledgement", queue=row.send_queue or 0),
            "sockets",
            row.send_queue or 0,
            "B",
        ),
    )
