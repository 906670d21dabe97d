"""F06: what the gateway sends is delivered but never answered: heartbeats without an ACK, and nobody counts them.

Nearest look-alike: an idle connection. Silence of any age proves nothing; but there the answer follows each send
within a round trip, here two or more sends have gone out since the last byte came in.
"""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown
from qqdiag.model import Say, Seconds
from qqdiag.snapshot import Socket, TcpInfo, WebSocket
from qqdiag.waits import View, turns
from qqdiag.waits.listeners import in_library_receive, is_open, readers
from qqdiag.waits.traffic import NO_TCP, answered, heartbeat_answered, motion, period_of, tcp_of, unanswered

ID = "missing-ack"
SEVERITY = Severity.HANG
TITLE = "Heartbeats are delivered and not answered"

ENOUGH = 2  # sends without an answer, as a gateway that watches its ACKs counts
LATE = 10.0  # seconds for one heartbeat whose protocol answers each at once


@dataclass(frozen=True, slots=True)
class Silence:
    """A WebSocket whose sends have no answer."""

    websocket: WebSocket
    row: Socket
    tcp: TcpInfo
    count: int  # sends since the last byte came in
    period: float | None
    expected: bool  # the protocol answers each heartbeat, says the profile
    answered: bool  # before, the peer sent about as often as we did
    segments: int | None  # sent in the interval, while none came in


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python", "gateway"):
        return Unknown(lacks)
    live = [ws for ws in view.websockets if is_open(ws) and ws.fd is not None and _listening(view, ws)]
    if not live:
        return NoMatch(Say("no task waits to receive from an open WebSocket"))
    if lacks := view.lacks("sockets"):
        return Unknown(lacks)
    seen = [_silence(view, ws, *figures) for ws in live if (figures := tcp_of(view, ws.fd)) is not None]
    if found := [_finding(silence) for silence in seen if _counts(silence)]:
        return Match(tuple(found))
    if len(seen) < len(live):
        return Unknown((NO_TCP,))
    return NoMatch(Say("each send on an open WebSocket was answered, or only the last one is not yet"))


def _listening(view: View, websocket: WebSocket) -> bool:
    """Whether its reader waits in the library's receive, on a loop that turns: what arrives would be seen."""
    return any(in_library_receive(view, task) and turns(view, task) for task in readers(view, websocket))


def _silence(view: View, websocket: WebSocket, row: Socket, tcp: TcpInfo) -> Silence:
    period = period_of(view, websocket)
    moved = motion(view, row.fd)
    quiet = moved is not None and moved.segments_in == 0
    count = unanswered(tcp, period)
    sent = moved.segments_out if moved is not None and quiet else None
    return Silence(
        websocket=websocket,
        row=row,
        tcp=tcp,
        count=max(count, sent or 0) if count else 0,
        period=period,
        expected=heartbeat_answered(view, websocket),
        answered=answered(tcp, count),
        segments=sent,
    )


def _counts(silence: Silence) -> bool:
    """Acknowledged by the peer's kernel, read by us, and unanswered often enough."""
    if silence.row.receive_queue or silence.websocket.unread or silence.tcp.unacked or not silence.count:
        return False
    return silence.count >= ENOUGH or (silence.expected and silence.tcp.last_data_sent >= LATE)


def _finding(silence: Silence) -> Finding:
    severity, confidence, because = _grade(silence)
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=Say(
            "At least {count} sends on {type} (fd {fd}) have no answer: the last byte came {silent} ago.",
            count=silence.count,
            type=silence.websocket.type,
            fd=silence.row.fd,
            silent=Seconds(silence.tcp.last_data_received),
        ),
        evidence=tuple(_evidence(silence)),
        ruled_out=(
            RuledOut("dead-listener", Say("a task waits in receive and {queue} bytes are unread", queue=0)),
            RuledOut("idle", Say("an idle peer answers; here {count} sends have no answer", count=silence.count)),
        ),
        alternatives=_ALTERNATIVES,
        tasks=tuple(silence.websocket.readers),
        sockets=(silence.row.fd,),
    )


_ALTERNATIVES = (
    Alternative(
        "half-open", Say("a proxy or relay on the way still acknowledges: look whether it has a connection onward")
    ),
    Alternative(
        "session-zombie", Say("the service lives but has dropped the session: a new connection with Identify tells")
    ),
)


def _grade(silence: Silence) -> tuple[Severity, Confidence, Say]:
    if silence.expected and silence.count >= ENOUGH:
        return (
            SEVERITY,
            Confidence.LIKELY,
            Say("its protocol answers each heartbeat, and the peer's kernel took them all"),
        )
    if silence.expected:
        return Severity.DEGRADED, Confidence.POSSIBLE, Say("one heartbeat is late; the next one decides")
    if silence.answered:
        return SEVERITY, Confidence.POSSIBLE, Say("until then the peer sent about as often as we did, and it stopped")
    return Severity.INFO, Confidence.POSSIBLE, Say("nothing shows that this peer ever answers what is sent")


def _evidence(silence: Silence) -> list[Evidence]:
    tcp = silence.tcp
    sent, received, acked = Seconds(tcp.last_data_sent), Seconds(tcp.last_data_received), Seconds(tcp.last_ack_received)
    found = [
        Evidence(
            Say("last sent {sent} ago, last received {received} ago", sent=sent, received=received),
            "sockets",
            received,
            "s",
        ),
        Evidence(
            Say("acknowledged by the peer's kernel {acked} ago, round trip {rtt}", acked=acked, rtt=Seconds(tcp.rtt)),
            "sockets",
            acked,
            "s",
        ),
    ]
    if silence.period is not None:
        period = Seconds(silence.period)
        found.append(Evidence(Say("the gateway sends every {period}", period=period), "gateway", period, "s"))
    if silence.segments:
        text = Say("{count} segments went out between the samples and none came in", count=silence.segments)
        found.append(Evidence(text, "sockets", silence.segments, "segments"))
    if tcp.segments_in is not None and tcp.segments_out is not None:
        text = Say("since it was opened: {out} segments out, {into} in", out=tcp.segments_out, into=tcp.segments_in)
        found.append(Evidence(text, "sockets"))
    return found
