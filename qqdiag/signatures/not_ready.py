"""F09: the WebSocket is open, heartbeats may flow, and no session was ever made: no READY, so no message will come.

Nearest look-alike: a session that is being made. That takes a second or two after the connection; here it lasts.
"""

from __future__ import annotations

from qqdiag.episodes import events_of, last_episode
from qqdiag.finding import (
    Alternative,
    Confidence,
    Evidence,
    Finding,
    Match,
    NoMatch,
    RuledOut,
    Severity,
    Unknown,
    seen,
    told_by_log,
)
from qqdiag.model import Say, Seconds
from qqdiag.snapshot import Adapter, Gateway, LogEvent, Sample, WebSocket
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.listeners import in_library_receive, is_open
from qqdiag.waits.loops import turns
from qqdiag.waits.outside import last_word
from qqdiag.waits.traffic import tcp_of

ID = "not-ready"
SEVERITY = Severity.HANG
TITLE = "The connection stands and its session was never made"

LONG = 20.0  # seconds since the log's last connection; READY comes within two
SEGMENTS = 4  # with data from the peer: the upgrade's answer, Hello, and at least two answers to heartbeats


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python", "gateway"):
        said = last_word(view) if view.python is None else None
        return Match((_told(said),)) if said and _unready(said) else Unknown(lacks)
    if not (found := _sessionless(view)):
        return NoMatch(Say("each connected adapter that is known has a session, or there is none"))
    if view.earlier is None:
        return Unknown((ONE_SAMPLE,))
    lasting = [(one, ws) for one, ws in found if _was(view.earlier, one)]
    if not lasting:
        return NoMatch(Say("the connection is younger than the first sample"))
    return Match(tuple(_finding(view, adapter, websocket) for adapter, websocket in lasting))


def _unready(said: LogEvent) -> bool:
    """By the log alone: connected, perhaps identified, and no READY within the time that one takes."""
    return said.event.reveal() in ("connected", "reconnected", "started", "identified") and said.age >= LONG


def _told(said: LogEvent) -> Finding:
    because = Say("READY comes within two seconds; what the listener waits for could not be seen")
    summary = Say("The log says {event} {age} ago, and of no session since.", event=said.event, age=Seconds(said.age))
    return told_by_log(ID, Confidence.POSSIBLE, because, summary, said.event, said.age, _BLOCKED)


_BLOCKED = (Alternative("loop-blocked", Say("as root, its stack: whether the event loop turns")),)


def _sessionless(view: View) -> list[tuple[Adapter, WebSocket]]:
    """Adapters without a session whose listener waits for frames: nothing else is being done."""
    gateway = view.last.gateway
    adapters = gateway.adapters if isinstance(gateway, Gateway) else []
    opened = {ws.address: ws for ws in view.websockets if is_open(ws)}
    pairs = [(one, opened[one.websocket]) for one in adapters if one.websocket is not None and one.websocket in opened]
    return [(one, ws) for one, ws in pairs if _lacks_session(one) and _receives(view, one)]


def _lacks_session(adapter: Adapter) -> bool:
    return any(one.name.reveal() == "session" and one.present and one.truth is False for one in adapter.attributes)


def _receives(view: View, adapter: Adapter) -> bool:
    task = view.tasks.get(adapter.listener or 0)
    return task is not None and in_library_receive(view, task) and turns(view, task)


def _was(sample: Sample, adapter: Adapter) -> bool:
    """Whether it was so in the earlier sample, on the same WebSocket."""
    known = sample.gateway.adapters if isinstance(sample.gateway, Gateway) else []
    same = [one for one in known if one.address == adapter.address and one.websocket == adapter.websocket]
    return any(_lacks_session(one) for one in same)


def _finding(view: View, adapter: Adapter, websocket: WebSocket) -> Finding:
    severity, confidence, because = _grade(view, websocket)
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=Say("{type} is connected and has no session: no message will come.", type=adapter.type),
        evidence=tuple(_evidence(view, websocket)),
        ruled_out=(RuledOut("dead-listener", Say("its listener waits to receive")),),
        alternatives=() if confidence is Confidence.CERTAIN else (_YOUNG,),
        tasks=(adapter.listener,) if adapter.listener is not None else (),
        sockets=(websocket.fd,) if websocket.fd is not None else (),
    )


_YOUNG = Alternative("connecting", Say("a second look in half a minute: whether READY has come"))


def _grade(view: View, websocket: WebSocket) -> tuple[Severity, Confidence, Say]:
    connected = _event(view, "connected")
    figures = tcp_of(view, websocket.fd)
    if connected is not None and connected.age >= LONG:
        because = Say("the log's last connection is {age} old, and no session came since", age=Seconds(connected.age))
        return SEVERITY, Confidence.CERTAIN, because
    if figures is not None and figures[1].last_data_received >= LONG:
        because = Say("nothing has come for {age}", age=Seconds(figures[1].last_data_received))
        return SEVERITY, Confidence.LIKELY, because
    if figures is not None and (figures[1].segments_in or 0) >= SEGMENTS:
        because = Say("heartbeats were answered already, which begin after Hello")
        return Severity.DEGRADED, Confidence.LIKELY, because
    return Severity.INFO, Confidence.POSSIBLE, Say("the connection may be young")


def _event(view: View, name: str) -> LogEvent | None:
    """The last event of that name in the log's last episode."""
    episode = last_episode(events_of(view.logs))
    found = [event for event in episode if event.event.reveal() == name]
    return found[-1] if found else None


def _evidence(view: View, websocket: WebSocket) -> list[Evidence]:
    found = [
        seen("gateway", Say("it had no session in either sample, {apart} apart", apart=Seconds(view.interval)), "s")
    ]
    figures = tcp_of(view, websocket.fd)
    if figures is not None:
        tcp = figures[1]
        received, segments = Seconds(tcp.last_data_received), tcp.segments_in or 0
        text = Say("last received {ago} ago, {segments} segments in all", ago=received, segments=segments)
        found.append(seen("sockets", text, "s"))
    for name in ("connected", "identified", "resume-sent", "task-failed", "session-invalid"):
        if (event := _event(view, name)) is not None:
            found.append(
                seen("logs", Say("the log says {event}, {age} ago", event=event.event, age=Seconds(event.age)))
            )
    return found
