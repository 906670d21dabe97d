"""Since when a task waits, where asyncio itself says it: a timer's time less the delay that it was set with.

`asyncio.sleep`, `wait_for` and `wait` keep the seconds that they were given in a local of their frame until they are
done; the timer was set with these at their begin (Lib/asyncio/tasks.py, 3.9 to 3.15). What waits for anything else
does not know since when, and nothing is said.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

from msgspec import structs

from qqdiag.cpython import frames
from qqdiag.cpython.codes import local_names
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Level, Loop, Task

MODULE = "/asyncio/tasks.py"
DELAYS = {"sleep": "delay", "wait_for": "timeout", "_wait": "timeout"}  # function: the local with the seconds
MAX_TASKS = 20_000  # whose wait is looked at


@dataclasses.dataclass(slots=True)
class _Delays:
    """Where the frames of each code keep the seconds, and the seconds that were read: often many wait equally long."""

    runtime: Runtime
    slots: dict[int, int | None] = dataclasses.field(default_factory=dict)
    seconds: dict[int, float | None] = dataclasses.field(default_factory=dict)


def fill(runtime: Runtime, tasks: list[Task], loops: list[Loop]) -> list[Task]:
    """The tasks, the leaves of those that wait in one of the functions with `began_at`."""
    delays, cancels = _Delays(runtime), functools.cache(lambda: _cancels(loops))
    found = list(tasks)
    for index, task in enumerate(tasks[:MAX_TASKS]):
        leaf, level = task.leaf, _waiting_level(task)
        if leaf is None or level is None:
            continue
        when = leaf.deadline_at if leaf.deadline_at is not None else _canceller(task, level, cancels)
        began = _began(delays, level, when) if when is not None else None
        if began is not None:
            found[index] = structs.replace(task, leaf=structs.replace(leaf, began_at=began))
    return found


def _cancels(loops: list[Loop]) -> dict[int, list[float]]:
    """By what a timer touches, its times."""
    found: dict[int, list[float]] = {}
    for loop in loops:
        for timer in loop.timers:
            for address in timer.wakes:
                found.setdefault(address, []).append(timer.when_at)
    return found


def _waiting_level(task: Task) -> Level | None:
    """The level that waits, where it is one of the functions."""
    if task.leaf is not None:
        for level in reversed(task.chain):
            if level.code is not None:
                return level if level.name.reveal() in DELAYS and level.suspended else None
    return None


def _canceller(task: Task, level: Level, cancels: Callable[[], dict[int, list[float]]]) -> float | None:
    """When the timer is due that cancels the task: since 3.12 `wait_for` sets that one, not one of its future."""
    times = cancels().get(task.address, []) if level.name.reveal() == "wait_for" else []
    return times[0] if len(times) == 1 else None


def _began(delays: _Delays, level: Level, when: float) -> float | None:
    try:
        seconds = _seconds(delays, level)
    except Unreadable:
        return None
    if seconds is None or not math.isfinite(seconds) or not 0 <= when - seconds <= when:
        return None
    return when - seconds


def _seconds(delays: _Delays, level: Level) -> float | None:
    """What the function was given."""
    runtime, code = delays.runtime, level.code or 0
    if code not in delays.slots:
        frame = frames.frame_of(runtime, level.address)
        delays.slots[code] = _slot(runtime, frame) if frame is not None else None
    slot, layout = delays.slots[code], runtime.layout
    if slot is None:
        return None
    frame_at, first = level.address + layout.coroutine_frame, layout.frame_localsplus
    if layout.frame_object is not None:
        frame_at, first = runtime.objects.read_word(frame_at), layout.frame_object.localsplus
    held = layout.referent(runtime.objects.read_word(frame_at + first + 8 * slot))
    if held not in delays.seconds:
        delays.seconds[held] = runtime.objects.number(held)
    return delays.seconds[held]


def _slot(runtime: Runtime, frame: frames.RawFrame) -> int | None:
    """Which of the frame's locals has the seconds; None where the function is not asyncio's."""
    if not frame.code.path.endswith(MODULE):
        return None
    names = [name for name, _ in local_names(runtime.objects, frame.code)]
    wanted = DELAYS.get(frame.code.qualname.reveal())
    return names.index(wanted) if wanted in names else None
