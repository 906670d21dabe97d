"""Since when a task waits, where asyncio itself says it: a timer's time less the delay that it was set with.

`asyncio.sleep`, `wait_for` and `wait` keep the seconds that they were given in a local of their frame until they are
done; the timer was set with these at their begin (Lib/asyncio/tasks.py, 3.9 to 3.15). What waits for anything else
does not know since when, and nothing is said.
"""

from __future__ import annotations

import math

from msgspec import structs

from qqdiag.cpython import frames
from qqdiag.cpython.codes import local_names
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Level, Loop, Task

MODULE = "/asyncio/tasks.py"
DELAYS = {"sleep": "delay", "wait_for": "timeout", "_wait": "timeout"}  # function: the local with the seconds
MAX_TASKS = 20_000  # whose wait is looked at


def fill(runtime: Runtime, tasks: list[Task], loops: list[Loop]) -> list[Task]:
    """The tasks, the leaves of those that wait in one of the functions with `began_at`."""
    cancels: dict[int, list[float]] = {}
    for loop in loops:
        for timer in loop.timers:
            for address in timer.wakes:
                cancels.setdefault(address, []).append(timer.when_at)
    slots: dict[int, int | None] = {}
    found = list(tasks)
    for index, task in enumerate(tasks[:MAX_TASKS]):
        level = _waiting_level(task)
        when = _timer(task, level, cancels) if level is not None else None
        if level is None or task.leaf is None or when is None:
            continue
        began = _began(runtime, slots, level, when)
        if began is not None:
            found[index] = structs.replace(task, leaf=structs.replace(task.leaf, began_at=began))
    return found


def _waiting_level(task: Task) -> Level | None:
    """The level that waits, where it is one of the functions."""
    if task.leaf is None:
        return None
    level = next((level for level in reversed(task.chain) if level.code is not None), None)
    return level if level is not None and level.suspended and level.name.reveal() in DELAYS else None


def _timer(task: Task, level: Level, cancels: dict[int, list[float]]) -> float | None:
    """When the timer ends the wait: that of the future, or since 3.12 the one that cancels the task for `wait_for`."""
    if task.leaf is not None and task.leaf.deadline_at is not None:
        return task.leaf.deadline_at
    times = cancels.get(task.address, []) if level.name.reveal() == "wait_for" else []
    return times[0] if len(times) == 1 else None


def _began(runtime: Runtime, slots: dict[int, int | None], level: Level, when: float) -> float | None:
    try:
        frame = frames.frame_of(runtime, level.address)
        if frame is None:
            return None
        if frame.code.index not in slots:
            slots[frame.code.index] = _slot(runtime, frame)
        slot = slots[frame.code.index]
        seconds = runtime.objects.number(frames.slots(runtime, frame)[slot]) if slot is not None else None
    except (Unreadable, IndexError):
        return None
    if seconds is None or not math.isfinite(seconds) or not 0 <= when - seconds <= when:
        return None
    return when - seconds


def _slot(runtime: Runtime, frame: frames.RawFrame) -> int | None:
    """Which of the frame's locals has the seconds; None where the function is not asyncio's."""
    if not frame.code.path.endswith(MODULE):
        return None
    names = [name for name, _ in local_names(runtime.objects, frame.code)]
    wanted = DELAYS.get(frame.code.qualname.reveal())
    return names.index(wanted) if wanted in names else None
