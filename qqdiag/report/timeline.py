"""What the gateway wrote of itself: log events in order, and its own status file beside them."""

from __future__ import annotations

from qqdiag.model import Bytes, Say, Seconds
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.snapshot import LogEvent, LogFile, Logs, Snapshot, StateFile

_EVENTS = 40
_LINES = 5
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})


def timeline_section(snapshot: Snapshot) -> Section[Cell] | None:
    """Events oldest first, each with its age; the last lines of a file that holds no known event."""
    logs = snapshot.logs
    if not isinstance(logs, Logs):
        return None
    lines: list[Line[Cell]] = []
    for file in logs.files:
        lines += _file(file)
    if isinstance(logs.state, StateFile):
        lines += _state(logs.state)
    return Section("timeline", Say("Log and state file"), tuple(lines)) if lines else None


def _file(file: LogFile) -> list[Line[Cell]]:
    heading = Say(
        "{name} log: {size}, last written {age} ago", name=file.name, size=Bytes(file.size), age=Seconds(file.age)
    )
    lines: list[Line[Cell]] = [Line(heading, mark=Mark.STRONG)]
    events = sorted(file.events, key=lambda event: -event.age)[-_EVENTS:]
    lines += [_event(event) for event in events]
    if events:
        return lines
    for line in file.last[-_LINES:]:
        age = Say("unknown") if line.age is None else Say("{age}", age=Seconds(line.age))
        lines.append(Line(Say("{age} ago  {text}", age=age, text=line.text), 1, Mark.DIM))
    return lines


def _event(event: LogEvent) -> Line[Cell]:
    text = Say("{age} ago  {event}", age=Seconds(event.age), event=event.event)
    for number in event.numbers[:4]:
        text = Say("{text} {number}", text=text, number=number)
    return Line(text, 1, Mark.WARN if event.level.reveal() in _LOUD else Mark.PLAIN)


def _state(state: StateFile) -> list[Line[Cell]]:
    said = Say("{state}", state=state.gateway_state) if state.gateway_state else Say("nothing")
    lines: list[Line[Cell]] = [
        Line(Say("state file: says {said}, written {age} ago", said=said, age=Seconds(state.age)), mark=Mark.STRONG)
    ]
    for platform in state.platforms[:20]:
        text = Say("{name}: {state}", name=platform.name, state=platform.state)
        if platform.error is not None:
            text = Say("{text}, error {error}", text=text, error=platform.error)
        if platform.age is not None:
            text = Say("{text}, since {age}", text=text, age=Seconds(platform.age))
        lines.append(Line(text, 1))
    return lines
