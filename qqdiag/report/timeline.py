"""What the gateway wrote of itself: log events in order, and its own status file beside them."""

from __future__ import annotations

from qqdiag.episodes import fullest
from qqdiag.model import Bytes, Moment, Say, Seconds
from qqdiag.report.claims import contradictions, episode_lines
from qqdiag.report.document import Cell, Line, Mark, Row, Section, Table
from qqdiag.report.loglines import last_lines, place
from qqdiag.report.losses import loss_blocks, older_lines
from qqdiag.snapshot import LogEvent, LogFile, Logs, Snapshot, StateFile
from qqdiag.waits.this_run import logs_of_this_run

_EVENTS = 40
_LINES = 5
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})


def timeline_section(snapshot: Snapshot) -> Section[Cell] | None:
    """Events oldest first; the last lines of a file that holds no known event."""
    logs = snapshot.logs
    if not isinstance(logs, Logs):
        return None
    own = logs_of_this_run(snapshot)
    blocks: list[Line[Cell] | Table[Cell]] = [*episode_lines(own)] if isinstance(own, Logs) else []
    blocks += loss_blocks(logs, snapshot.wall_time)
    shown: list[list[LogEvent]] = []
    for file in logs.files:
        blocks.append(_heading(file, again=bool(file.events) and file.events in shown))
        if file.events and file.events not in shown:
            blocks += [*older_lines(file), _events(logs, file, snapshot.wall_time)]
            shown.append(file.events)
        if not file.events or file is fullest(logs):
            blocks += last_lines(logs, file, _LINES)
    if isinstance(logs.state, StateFile):
        blocks += [*_state(logs.state), *contradictions(logs.state, snapshot.samples[-1])]
    return Section("timeline", Say("Log and state file"), tuple(blocks)) if blocks else None


def _heading(file: LogFile, again: bool) -> Line[Cell]:
    text = Say(
        "{name} log: {size}, last written {age} ago", name=file.name, size=Bytes(file.size), age=Seconds(file.age)
    )
    return Line(Say("{text}, the same events", text=text) if again else text, mark=Mark.STRONG)


def _events(logs: Logs, file: LogFile, now: float) -> Table[Cell]:
    events = sorted(file.events, key=lambda event: -event.age)[-_EVENTS:]
    rows = tuple(
        Row(_cells(logs, event, now), Mark.WARN if event.level.reveal() in _LOUD else Mark.PLAIN) for event in events
    )
    return Table((Say("UTC"), Say("ago"), Say("event"), Say("numbers"), Say("written by")), rows, frozenset({1}))


def _cells(logs: Logs, event: LogEvent, now: float) -> tuple[Cell, ...]:
    numbers = Say("")
    for number in event.numbers[:4]:
        numbers = Say("{before}{number} ", before=numbers, number=number)
    return Moment(now - event.age), Seconds(event.age), event.event, numbers, place(logs, event) or Say("")


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
