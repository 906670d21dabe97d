"""Coroutines that are awaited and tasks that run them: what is closed in one, and who waits for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from qqdiag.patch import callables
from qqdiag.patch.endings import distinct
from qqdiag.patch.values import NONE, Known, Made, Several, State, Thing, Unknown, Value

if TYPE_CHECKING:
    from qqdiag.patch.endings import Outcome
    from qqdiag.patch.walk import Walk


def finished(walk: Walk, value: Value, state: State) -> list[Outcome]:
    """What is awaited, or run by a task, runs to its end now."""
    if isinstance(value, Several):
        ways = [state]
        for one in value.items:
            ways = [after for way in ways for _, after in finished(walk, one, way)]
        return [(Unknown(), way) for way in ways]
    if isinstance(value, Made) and value.name.startswith("coroutine:"):
        return callables.awaited(walk, value, state)
    if isinstance(value, Made) and value.name == "task":
        return [(Unknown(), given_up(value, state) if state.limits else _waited_for(value, state))]
    if not isinstance(value, Thing) or not value.name.startswith("closing:"):
        return [(value, state)]
    _, what, line = value.name.split(":")
    state = state.happened("close", what, int(line))
    return [(NONE, state.put_field(Thing("ws"), "closed", Known(True)) if what == "ws" else state)]


def in_tasks(walk: Walk, values: Sequence[Value], state: State, limits: int) -> list[Outcome]:
    """Coroutines that tasks run: each has only the deadlines that are its own. What is closed in it without one is
    kept with the task. What it sets comes at some later time, so only its events are kept."""
    ways = [replace(state, limits=limits)]
    for value in callables.handed(values):
        ended = [after for way in ways for _, after in finished(walk, value, way)]
        ways = distinct(replace(state, limits=limits, events=one.events) for one in ended)
    found: list[Outcome] = []
    for way in ways:
        new = way.events[len(state.events) :]
        closes = (one for one in new if one.kind == "close" and not one.bounded)
        kept = tuple((one.detail, Known(one.line)) for one in closes)
        found.append((Made("task", None, kept), replace(way, limits=state.limits)))
    return found


def given_up(task: Made, state: State) -> State:
    """Somebody who waits for the task goes on after a time."""
    for what, line in _open_closes(task):
        state = state.happened("given up", what, line)
    return state


def _waited_for(task: Made, state: State) -> State:
    for what, line in _open_closes(task):
        state = state.happened("close", what, line, Known("waited for"))
    return state


def _open_closes(task: Made) -> list[tuple[str, int]]:
    """What it closes without a deadline of its own, and in which line."""
    pairs = [(str(what), line.value) for what, line in task.given if isinstance(line, Known)]
    return [(what, line) for what, line in pairs if isinstance(line, int)]
