"""What the gateway wrote of itself: log events in order, and its own status file beside them."""

from __future__ import annotations

from qqdiag.model import Bytes, Moment, Say, Seconds
from qqdiag.report.claims import contradictions, episode_lines
from qqdiag.report.document import Cell, Line, Mark, Row, Section, Table
from qqdiag.snapshot import LogEvent, LogFile, Logs, Snapshot, StateFile

_EVENTS = 40
_LINES = 5
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})


def timeline_section(snapshot: Snapshot) -> Section[Cell] | None:
    """Events oldest first; the last lines of a file that holds no known event."""
    logs = snapshot.logs
    if not isinstance(logs, Logs):
        return None
    blocks: list[Line[Cell] | Table[Cell]] = [*episode_lines(logs)]
    shown: list[list[LogEvent]] = []
    for file in logs.files:
        blocks.append(_heading(file, again=bool(file.events) and file.events in shown))
        if file.events and file.events not in shown:
            blocks.append(_events(file, snapshot.wall_time))
            shown.append(file.events)
        elif not file.events:
            blocks += _last_lines(file)
    if isinstance(logs.state, StateFile):
        blocks += [*_state(logs.state), *contradictions(logs.state, snapshot.samples[-1])]
    return Section("timeline", Say("Log and state file"), tuple(blocks)) if blocks else None


def _heading(file: LogFile, again: bool) -> Line[Cell]:
    text = Say(
        "{name} log: {size}, last written {age} ago", name=file.name, size=Bytes(file.size), age=Seconds(file.age)
    )
    return Line(Say("{text}, the same events", text=text) if again else text, mark=Mark.STRONG)


def _events(file: LogFile, now: float) -> Table[Cell]:
    events = sorted(file.events, key=lambda event: -event.age)[-_EVENTS:]
    rows = tuple(
        Row(_cells(event, now), Mark.WARN if event.level.reveal() in _LOUD else Mark.PLAIN) for event in events
    )
    return Table((Say("UTC"), Say("ago"), Say("event"), Say("numbers")), rows, frozenset({1}))


def _cells(event: LogEvent, now: float) -> tuple[Cell, ...]:
    numbers = Say("")
    for number in event.numbers[:4]:
        numbers = Say("{before}{number} ", before=numbers, number=number)
    return Moment(now - event.age), Seconds(event.age), event.event, numbers


def _last_lines(file: LogFile) -> list[Line[Cell]]:
    lines: list[Line[Cell]] = []
    for line in file.last[-_LINES:]:
        age = Say("unknown") if line.age is None else Say("{age}", age=Seconds(line.age))
        text = Say("{age} ago  {text}", age=age, text=line.text)
        if line.level is not None and line.logger is not None:
            text = Say(
                "{age} ago  {level} {logger}: {text}", age=age, level=line.level, logger=line.logger, text=line.text
            )
        lines.append(Line(text, 1, Mark.DIM))
    return lines


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
