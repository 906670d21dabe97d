"""The gateway: its adapters, what they hold, and each WebSocket with the fd below it."""

from __future__ import annotations

from qqdiag.model import Bytes, Say, Seconds
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.report.versions import adapter_lines
from qqdiag.snapshot import Adapter, Attribute, Gateway, Python, Snapshot, Task, WebSocket

_PLAIN = frozenset({"bool", "NoneType", "str", "int", "float", "dict", "list", "set", "tuple"})


def adapter_section(snapshot: Snapshot) -> Section[Cell] | None:
    """Adapters and WebSockets of the last sample."""
    last = snapshot.samples[-1]
    if not isinstance(last.gateway, Gateway):
        return None
    tasks = {task.address: task for task in last.python.tasks} if isinstance(last.python, Python) else {}
    lines: list[Line[Cell]] = []
    for adapter in last.gateway.adapters:
        lines += [*_adapter(adapter, tasks), *adapter_lines(snapshot, adapter)]
    lines += [_websocket(websocket, tasks) for websocket in last.gateway.websockets]
    return Section("gateway", Say("Gateway"), tuple(lines)) if lines else None


def _adapter(adapter: Adapter, tasks: dict[int, Task]) -> list[Line[Cell]]:
    heading = Say(
        "{platform} adapter {type} ({profile})", platform=adapter.platform, type=adapter.type, profile=adapter.profile
    )
    lines: list[Line[Cell]] = [Line(heading, mark=Mark.STRONG)]
    drawn = {adapter.listener, adapter.heartbeat} - {None}
    lines += [Line(_attribute(one), 1) for one in adapter.attributes if one.address not in drawn or not one.present]
    if adapter.listener is not None:
        lines.append(_task(Say("listener"), tasks.get(adapter.listener)))
    if adapter.heartbeat is not None:
        lines.append(_task(Say("heartbeat"), tasks.get(adapter.heartbeat)))
    return lines


def _attribute(attribute: Attribute) -> Say:
    if not attribute.present:
        return Say("{name}: not there", name=attribute.name)
    if attribute.number is not None:
        return Say("{name}: {number}", name=attribute.name, number=attribute.number)
    if attribute.type is None or (attribute.truth is not None and attribute.type.reveal() in _PLAIN):
        return Say("{name}: {truth}", name=attribute.name, truth=attribute.truth is not False)
    return Say("{name}: {type}", name=attribute.name, type=attribute.type)


def _task(role: Say, task: Task | None) -> Line[Cell]:
    if task is None:
        return Line(Say("{role} task: gone", role=role), 1, Mark.WARN)
    alive = task.state.reveal() in ("pending", "running")
    text = Say("{role} task: {name}, {state}", role=role, name=task.name, state=task.state)
    return Line(text, 1, Mark.PLAIN if alive else Mark.WARN)


def _websocket(websocket: WebSocket, tasks: dict[int, Task]) -> Line[Cell]:
    text = Say("{library} {type}: {state}", library=websocket.library, type=websocket.type, state=_state(websocket))
    if websocket.server:
        text = Say("{text}, the server's end", text=text)
    if websocket.fd is not None:
        text = Say("{text}, fd {fd}", text=text, fd=websocket.fd)
    if websocket.unread:
        text = Say("{text}, {unread} read and not consumed", text=text, unread=Bytes(websocket.unread))
    if websocket.ping_outstanding:
        text = Say("{text}, a PING is unanswered", text=text)
    if websocket.close_timeout_known:
        text = Say("{text}, a close waits {limit}", text=text, limit=_limit(websocket.close_timeout))
    return Line(text)


def _limit(seconds: float | None) -> Say:
    if seconds is None:
        return Say("for ever")
    return Say("{seconds} for each message", seconds=Seconds(seconds))


def _state(websocket: WebSocket) -> Say:
    if websocket.closed:
        if websocket.close_code is None:
            return Say("closed")
        return Say("closed with {code}", code=websocket.close_code)
    if websocket.closing:
        return Say("closing")
    return Say("open") if websocket.closed is False else Say("of unknown state")
