"""F19: sends wait for a connection that nobody makes, some seconds each, and then fail.

Nearest look-alike: a send that waits for the service's answer. Its chain ends at a socket; here it ends in the
adapter's own wait for a WebSocket, while it has none.
"""

from __future__ import annotations

from qqdiag.episodes import events_of
from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Say, Seconds
from qqdiag.profiles import profiles
from qqdiag.snapshot import Adapter, Gateway, LogEvent, Task
from qqdiag.waits import View
from qqdiag.waits.listeners import is_open

ID = "send-waiting"
SEVERITY = Severity.DEGRADED
TITLE = "Sends wait for a connection"

RECENT = 600.0  # seconds: failed sends of the log that belong to what is seen


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python", "gateway"):
        return Unknown(lacks)
    gateway = view.last.gateway
    adapters = gateway.adapters if isinstance(gateway, Gateway) else []
    waiting = [(adapter, _waiting(view, adapter)) for adapter in adapters]
    if found := [_finding(view, adapter, tasks) for adapter, tasks in waiting if tasks]:
        return Match(tuple(found))
    if adapters and (lacks := view.torn):
        return Unknown(lacks)
    return NoMatch(Say("no task waits in a known adapter for its connection"))


def _waiting(view: View, adapter: Adapter) -> list[Task]:
    """The pending tasks inside of the method in which the adapter's sends wait."""
    known = (adapter.profile.reveal(), adapter.platform.reveal())
    shapes = [(profile.id, shape) for profile in profiles() for shape in profile.adapters]
    names = {f"{shape.type_name}.{shape.send_waits}" for id, shape in shapes if (id, shape.platform) == known}
    pending = [task for task in view.tasks.values() if task.state.reveal() == "pending"]
    return [task for task in pending if any(level.name.reveal() in names for level in task.chain)]


def _finding(view: View, adapter: Adapter, tasks: list[Task]) -> Finding:
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=Confidence.CERTAIN,
        because=Say("their frames stand in the adapter's own wait for a connection"),
        summary=Say("Sends of {type} wait for a connection: {count}.", count=len(tasks), type=adapter.type),
        evidence=tuple(_evidence(view, adapter, tasks)),
        ruled_out=(RuledOut("slow-service", Say("they have not asked the service yet")),),
        tasks=tuple(task.address for task in tasks),
    )


def _evidence(view: View, adapter: Adapter, tasks: list[Task]) -> list[Evidence]:
    opened = sum(is_open(ws) for ws in view.websockets if ws.address == adapter.websocket)
    found = [
        seen("python", Say("tasks that stand in its wait for a connection: {count}", count=len(tasks)), "tasks"),
        seen("gateway", Say("{count} open WebSockets of the adapter", count=opened), "WebSockets"),
    ]
    failed = _failed(view)
    if failed:
        last = Seconds(failed[-1].age)
        found.append(
            seen("logs", Say("sends that failed so lately: {count}, the last {ago} ago", count=len(failed), ago=last))
        )
    return found


def _failed(view: View) -> list[LogEvent]:
    events = events_of(view.logs)
    return [event for event in events if event.event.reveal() == "send-failed" and event.age <= RECENT]
