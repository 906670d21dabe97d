"""F06: what the gateway sends is delivered but never answered: heartbeats without an ACK, and nobody counts them.

Nearest look-alike: an idle connection. Silence of any age proves nothing; but there the answer follows each send
within a round trip, here two or more sends have gone out since the last byte came in.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Say, Seconds
from qqdiag.snapshot import WebSocket
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.listeners import in_library_receive, is_open, readers
from qqdiag.waits.loops import turns
from qqdiag.waits.silence import Silence, silences
from qqdiag.waits.traffic import NO_TCP

ID = "missing-ack"
SEVERITY = Severity.HANG
TITLE = "Heartbeats are delivered and not answered"

ENOUGH = 2  # sends without an answer, as a gateway that watches its ACKs counts
LATE = 10.0  # seconds for one heartbeat whose protocol answers each at once


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python", "gateway"):
        return Unknown(lacks)
    # Who is called pushes, and need not be answered.
    opened = [ws for ws in view.websockets if is_open(ws) and ws.fd is not None and not ws.server]
    live = [ws for ws in opened if _listening(view, ws)]
    if not live:
        return NoMatch(Say("no task waits to receive from an open WebSocket"))
    if lacks := view.lacks("sockets"):
        return Unknown(lacks)
    known = silences(view, live)
    counted = [silence for silence in known if _counts(silence)]
    if found := [_finding(silence) for silence in counted if silence.settled]:
        return Match(tuple(found))
    if counted and view.earlier is None:
        return Unknown((ONE_SAMPLE,))
    if len(known) < len(live):
        return Unknown((NO_TCP,))
    return NoMatch(Say("each send on an open WebSocket was answered, or only the last one is not yet"))


def _listening(view: View, websocket: WebSocket) -> bool:
    """Whether its reader waits in the library's receive, on a loop that turns: what arrives would be seen."""
    return any(in_library_receive(view, task) and turns(view, task) for task in readers(view, websocket))


def _counts(silence: Silence) -> bool:
    age = max(silence.tcp.last_data_sent, silence.ping_age)
    late = silence.expected and silence.count > 0 and age >= _late(silence)
    return silence.delivered and (silence.count >= ENOUGH or late)


def _late(silence: Silence) -> float:
    """Half of what the library gives a PONG, where that is less: at the end of it the connection is gone."""
    limit = silence.websocket.pong_timeout if silence.gives_up else None
    return LATE if limit is None else min(LATE, limit / 2)


def _finding(silence: Silence) -> Finding:
    severity, confidence, because = _grade(silence)
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=Say(
            "Sends on {type} (fd {fd}) have no answer (at least {count}): the last byte came {silent} ago.",
            count=silence.count,
            type=silence.websocket.type,
            fd=silence.row.fd,
            silent=Seconds(silence.tcp.last_data_received),
        ),
        evidence=tuple(_evidence(silence)),
        ruled_out=(
            RuledOut("dead-listener", Say("a task waits in receive, and {unread} bytes are unread", unread=0)),
            RuledOut("idle", Say("an idle peer answers; sends without an answer here: {count}", count=silence.count)),
        ),
        alternatives=_ALTERNATIVES,
        tasks=tuple(silence.websocket.readers),
        sockets=(silence.row.fd,),
    )


_ALTERNATIVES = (
    Alternative("half-open", Say("whether a proxy on the way, which may acknowledge, has a connection onward")),
    Alternative("session-zombie", Say("a new Identify: the service may have dropped the session")),
)


def _grade(silence: Silence) -> tuple[Severity, Confidence, Say]:
    if silence.gives_up:
        left = Seconds(max(0.0, (silence.websocket.pong_timeout or 0.0) - silence.ping_age))
        because = Say("a PING of the library has no PONG; it ends the connection itself in {left}", left=left)
        return Severity.DEGRADED, Confidence.LIKELY, because
    if silence.pings >= ENOUGH:
        return SEVERITY, Confidence.LIKELY, Say("a PONG must follow each PING, and this library waits for it for ever")
    if silence.expected and silence.count >= ENOUGH:
        return SEVERITY, Confidence.LIKELY, Say("its protocol answers each heartbeat, and the peer's kernel took all")
    if silence.expected:
        return Severity.DEGRADED, Confidence.POSSIBLE, Say("one heartbeat is late; the next one decides")
    if silence.answered:
        return SEVERITY, Confidence.POSSIBLE, Say("until then the peer sent about as often as we did, and it stopped")
    return Severity.INFO, Confidence.POSSIBLE, Say("nothing shows that this peer ever answers what is sent")


def _evidence(silence: Silence) -> list[Evidence]:
    tcp = silence.tcp
    received, acked = Seconds(tcp.last_data_received), Seconds(tcp.last_ack_received)
    found = [
        seen(
            "sockets",
            Say("last received {ago} ago, sent {sent} ago", ago=received, sent=Seconds(tcp.last_data_sent)),
            "s",
        ),
        seen("sockets", Say("acknowledged {ago} ago, round trip {rtt}", ago=acked, rtt=Seconds(tcp.rtt)), "s"),
    ]
    if silence.pings:
        age, pings = Seconds(silence.ping_age), silence.pings
        found.append(seen("gateway", Say("PINGs without a PONG: {pings}, the first {age} ago", pings=pings, age=age)))
    if silence.period is not None:
        found.append(seen("gateway", Say("the gateway sends every {period}", period=Seconds(silence.period)), "s"))
    if silence.segments:
        text = Say("segments between the samples: {count} went out, none came in", count=silence.segments)
        found.append(seen("sockets", text, "segments"))
    if tcp.segments_in is not None and tcp.segments_out is not None:
        text = Say("{into} segments in and {out} out since it was opened", into=tcp.segments_in, out=tcp.segments_out)
        found.append(seen("sockets", text, "segments"))
    return found
