"""What the gateway says of itself, held against what was seen: the log's last reconnect, and its own status file."""

from __future__ import annotations

from qqdiag.episodes import HEALTHY, last_episode
from qqdiag.model import Say, Seconds
from qqdiag.report.document import Cell, Line, Mark
from qqdiag.snapshot import Adapter, Gateway, LogEvent, Logs, PlatformState, Process, Python, Sample, StateFile, Task

_BY_THE_WAY = frozenset({"memory", "token-refreshed", "task-failed", "send-waiting", "send-failed"})
_UP = "connected"


def episode_lines(logs: Logs) -> list[Line[Cell]]:
    """Where the log's last reconnect broke off, by the file that tells most of it."""
    events = max((_events(file.events) for file in logs.files), key=len, default=[])
    if not (episode := last_episode(events)):
        return []
    last = episode[-1]
    if len(episode) == 1 and last.event.reveal() in HEALTHY:
        text = Say("by the log its session is up since {age} ago", age=Seconds(last.age))
        return [Line(text, mark=Mark.STRONG)]
    text = Say(
        "by the log its last reconnect came as far as {event}, {age} ago", event=last.event, age=Seconds(last.age)
    )
    return [Line(text, mark=Mark.WARN)]


def _events(events: list[LogEvent]) -> list[LogEvent]:
    """Those that belong to a reconnect, oldest first."""
    return sorted((one for one in events if one.event.reveal() not in _BY_THE_WAY), key=lambda one: -one.age)


def contradictions(state: StateFile, sample: Sample) -> list[Line[Cell]]:
    """Where the status file says something else than what was seen. Its age contradicts nothing: it is no heartbeat."""
    said = _of_another_process(state, sample)
    if said is None and isinstance(sample.gateway, Gateway) and isinstance(sample.python, Python):
        tasks = {task.address: task for task in sample.python.tasks}
        pairs = [(one, adapter) for one in state.platforms for adapter in sample.gateway.adapters]
        found = [_of_a_platform(one, adapter, sample.gateway, tasks) for one, adapter in pairs]
        return [Line(text, 1, Mark.WARN) for text in found if text is not None]
    return [Line(said, 1, Mark.WARN)] if said else []


def _of_another_process(state: StateFile, sample: Sample) -> Say | None:
    process = sample.process
    if not isinstance(process, Process) or state.pid is None:
        return None
    if state.pid not in (process.pid, process.namespace_pid):
        return Say("it was written by another process, pid {pid}", pid=state.pid)
    if state.start_ticks not in (None, process.start_ticks):
        return Say("it was written by an earlier process with the same pid")
    return None


def _of_a_platform(one: PlatformState, adapter: Adapter, gateway: Gateway, tasks: dict[int, Task]) -> Say | None:
    """`connected` is written when the WebSocket opens, before any READY, and stays whatever comes after."""
    if one.name != adapter.platform or one.state.reveal() != _UP:
        return None
    websocket = next((ws for ws in gateway.websockets if ws.address == adapter.websocket), None)
    listener = tasks.get(adapter.listener or 0)
    if listener is not None and listener.state.reveal() not in ("pending", "running"):
        return Say("but: its listener is {state}", state=listener.state)
    if websocket is not None and websocket.closed:
        return Say("but: its WebSocket is closed")
    if any(attribute.name.reveal() == "websocket" and attribute.truth is False for attribute in adapter.attributes):
        return Say("but: it has no WebSocket")
    return None
