"""The events of the log on an axis of time, with the stretches of a session and what the wire last did beside them."""

from __future__ import annotations

from qqdiag.episodes import HEALTHY, events_of
from qqdiag.finding import Diagnosis
from qqdiag.model import Moment, Say, Seconds
from qqdiag.report.document import Cell, Mark
from qqdiag.report.drawn import Event, Lane, Plot, Span, Tick
from qqdiag.snapshot import Gateway, LogEvent, Snapshot, Sockets, TcpInfo

_MOST = 40  # events of the log, the newest
_MOST_SOCKETS = 2
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})
_BROKEN = frozenset(  # the words of a profile's phrases that end a session
    {"closed", "error", "disconnected", "session-invalid", "fatal", "gave-up", "server-reconnect"}
)
_WIRE = "received", "sent"


def reconnect_plot(snapshot: Snapshot, diagnosis: Diagnosis) -> Plot[Cell] | None:
    """None without a log that holds known events."""
    logged = events_of(snapshot.logs)[-_MOST:]
    if not logged:
        return None
    words = list(dict.fromkeys(event.event for event in logged))
    lanes: list[Lane[Cell]] = [Lane(word, _mark_of_lane(word.reveal(), logged)) for word in words]
    events: list[Event[Cell]] = [Event(words.index(one.event), _age(one), _says(one), _mark(one)) for one in logged]
    for fd, tcp in _wires(snapshot, diagnosis):
        for what, age in zip(_WIRE, (tcp.last_data_received, tcp.last_data_sent), strict=True):
            says = _wire(fd, what == "sent")
            events.append(Event(len(lanes), max(age, 0.0), Say("{wire} {age} ago", wire=says, age=Seconds(age))))
            lanes.append(Lane(says, Mark.DIM))
    events.sort(key=lambda event: -event.age)
    ages = dict.fromkeys([*(event.age for event in events), 0.0])
    ticks: list[Tick[Cell]] = [Tick(age, Moment(snapshot.wall_time - age), _before(age)) for age in ages]
    return Plot(tuple(lanes), tuple(events), tuple(ticks), _spans(logged))


def _wires(snapshot: Snapshot, diagnosis: Diagnosis) -> list[tuple[int, TcpInfo]]:
    """The connections of the findings, else of the gateway's WebSockets: the last sign of life is not in a log."""
    last = snapshot.samples[-1]
    rows = last.sockets.rows if isinstance(last.sockets, Sockets) else []
    wanted = [fd for finding in diagnosis.findings for fd in finding.sockets]
    if not wanted and isinstance(last.gateway, Gateway):
        wanted = [websocket.fd for websocket in last.gateway.websockets if websocket.fd is not None]
    known = {row.fd: row.tcp for row in rows if isinstance(row.tcp, TcpInfo)}
    return [(fd, known[fd]) for fd in dict.fromkeys(wanted) if fd in known][:_MOST_SOCKETS]


def _wire(fd: int, sent: bool) -> Say:
    return Say("fd {fd} last sent", fd=fd) if sent else Say("fd {fd} last received", fd=fd)


def _age(event: LogEvent) -> float:
    return max(event.age, 0.0)  # its clock may be ahead


def _before(age: float) -> Say:
    return Say("{age} ago", age=Seconds(age)) if age else Say("looked at")


def _says(event: LogEvent) -> Say:
    text = Say("{event}, {age} ago", event=event.event, age=Seconds(event.age))
    for number in event.numbers[:3]:
        text = Say("{text}, {number}", text=text, number=number)
    return text


def _mark(event: LogEvent) -> Mark:
    if event.event.reveal() in HEALTHY:
        return Mark.GOOD
    if event.event.reveal() in _BROKEN or event.level.reveal() in _LOUD - {"WARNING"}:
        return Mark.BAD
    return Mark.WARN if event.level.reveal() in _LOUD else Mark.PLAIN


def _mark_of_lane(word: str, logged: list[LogEvent]) -> Mark:
    return _mark(next(event for event in logged if event.event.reveal() == word))


def _spans(logged: list[LogEvent]) -> tuple[Span, ...]:
    """From each event that begins or ends a session to the next such one, or to the snapshot."""
    spans: list[Span] = []
    for event in logged:
        word = event.event.reveal()
        if word not in HEALTHY and word not in _BROKEN:
            continue
        up = word in HEALTHY
        if spans and spans[-1].up == up:
            continue
        if spans:
            spans[-1] = Span(spans[-1].begin, _age(event), spans[-1].up)
        spans.append(Span(_age(event), 0.0, up))
    return tuple(spans)
