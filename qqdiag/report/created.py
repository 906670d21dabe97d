"""Where, how long ago and by whom a task was created, by asyncio's debug mode or an aiomonitor in the gateway."""

from __future__ import annotations

from qqdiag.model import Say, Seconds, TaskName
from qqdiag.snapshot import Monitor, MonitorTask, Python, Snapshot, Task


def created(snapshot: Snapshot, python: Python) -> dict[int, Say]:
    """By the address of each task of which it is known."""
    rows = snapshot.monitor.tasks if isinstance(snapshot.monitor, Monitor) else []
    told = {row.task: row for row in rows}
    names = {task.address: task.name for task in python.tasks}
    found = ((task, told.get(task.address)) for task in python.tasks)
    written = ((task.address, _text(task, row, python.taken_at, names)) for task, row in found)
    return {address: text for address, text in written if text is not None}


def _text(task: Task, told: MonitorTask | None, now: float, names: dict[int, TaskName]) -> Say | None:
    place, age = _place(task, told), _age(task, told, now)
    if place is None and age is None:
        return None
    text = Say("created")
    if age is not None:
        text = Say("{text} {age} ago", text=text, age=Seconds(age))
    if task.creator is not None and task.creator in names:
        text = Say("{text} by {creator}", text=text, creator=names[task.creator])
    return text if place is None else Say("{text} at {place}", text=text, place=place)


def _age(task: Task, told: MonitorTask | None, now: float) -> float | None:
    """What was read together with `now` goes before what the monitor said a moment later."""
    if task.created_at is not None and task.created_at <= now:
        return now - task.created_at
    return told.since if told is not None else None


def _place(task: Task, told: MonitorTask | None) -> Say | None:
    if task.created is not None:
        return Say("{path}:{line}", path=task.created.path, line=task.created.line)
    if told is None or told.created_path is None or told.created_line is None:
        return None
    return Say("{path}:{line}", path=told.created_path, line=told.created_line)
