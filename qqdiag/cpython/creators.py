"""Where, when and by which task a task was created: asyncio keeps the place in debug mode (`PYTHONASYNCIODEBUG`,
`loop.set_debug`) in every version, and an aiomonitor that hooks the task factory all three.

`_source_traceback` is what `traceback.extract_stack` gave in `Future.__init__`: a StackSummary, outermost frame first.
A future of C has it in the word behind its result (`fut_source_tb`, Modules/_asynciomodule.c). aiomonitor 0.6 and 0.7
keep the same in `Monitor._created_tracebacks`, and the task in `_created_traceback_chains`: both are WeakKeyDictionary.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from msgspec import structs

from qqdiag.cpython import attributes
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.cpython.typeinfo import FUTURE
from qqdiag.memory.source import Unreadable
from qqdiag.model import CodePath, Name
from qqdiag.snapshot import Place, Task

FRAME = "traceback.FrameSummary"
SLOTS = ("filename", "lineno", "name")  # of a FrameSummary (Lib/traceback.py)
MONITOR = "aiomonitor.monitor.Monitor"
MAX_FRAMES = 1_000
MAX_TASKS = 100_000
# Who called one of these created the task: create_task, TaskGroup.create_task, gather, run; aiomonitor's factory.
OWN = ("/asyncio/", "/aiomonitor/")
MAX_TIME = 1e10  # seconds; no clock of a machine says more


@dataclasses.dataclass
class _Kept:
    """What a loop and its monitor keep, by the task: a list of frames, a task that created it."""

    debug: bool
    stacks: dict[int, int]
    parents: dict[int, int]


def fill(runtime: Runtime, tasks: list[Task], loops: Iterable[int]) -> list[Task]:
    """The tasks with what is kept of their creation; most often nothing is."""
    kept = {loop: found for loop in loops if (found := _kept(runtime, loop)) is not None}
    return [_filled(runtime, task, kept.get(task.loop)) for task in tasks] if kept else tasks


def _kept(runtime: Runtime, loop: int) -> _Kept | None:
    """None where neither the loop nor a monitor keeps anything."""
    objects = runtime.objects
    try:
        flag, factory = objects.attribute(loop, "_debug"), objects.attribute(loop, "_task_factory")
        debug = flag is not None and objects.truth(flag) is True
        monitor = objects.method_self(factory) if factory else None
        if monitor is None or objects.type_of(monitor).dotted != MONITOR:
            return _Kept(debug, {}, {}) if debug else None
        stacks, parents = (
            _weak_keys(runtime, objects.attribute(monitor, name) or 0)
            for name in ("_created_tracebacks", "_created_traceback_chains")
        )
        return _Kept(debug, stacks, parents)
    except Unreadable:
        return None


def _weak_keys(runtime: Runtime, dictionary: int) -> dict[int, int]:
    """A WeakKeyDictionary: by the address of a key that lives."""
    data = runtime.objects.attribute(dictionary, "data") if dictionary else None
    pairs = runtime.objects.pairs(data, MAX_TASKS) if data else []
    living = ((runtime.objects.referent(key), value) for key, value in pairs)
    return {task: value for task, value in living if task is not None}


def _filled(runtime: Runtime, task: Task, kept: _Kept | None) -> Task:
    if kept is None:
        return task
    objects, monitored = runtime.objects, kept.stacks.get(task.address)
    try:
        stack = monitored or (_source(runtime, task.address) if kept.debug else 0)
        place = _place(runtime, stack) if stack else None
        parent = kept.parents.get(task.address)
        started = objects.attribute(task.address, "_started_at") if monitored else None
        at = objects.number(started) if started else None  # time.perf_counter(): CLOCK_MONOTONIC
        creator = objects.referent(parent) if parent else None
    except Unreadable:
        return task
    at = at if at is not None and 0 <= at < MAX_TIME else None
    return structs.replace(task, created=place, creator=creator, created_at=at)


def _source(runtime: Runtime, task: int) -> int:
    """The stack that asyncio itself keeps, 0 for none."""
    objects = runtime.objects
    if FUTURE in objects.type_of(task).bases:
        kept = objects.read_word(task + runtime.layout.future_result + 8)
    else:
        kept = objects.attribute(task, "_source_traceback") or 0
    return kept if kept and objects.type_of(kept).dotted == "traceback.StackSummary" else 0


def _place(runtime: Runtime, stack: int) -> Place | None:
    """The innermost frame of a stack that is none of those that create tasks for others."""
    for frame in reversed(runtime.objects.items(stack, MAX_FRAMES)):
        place = _frame(runtime, frame)
        if place is not None and not any(own in place.path.reveal() for own in OWN):
            return place
    return None


def _frame(runtime: Runtime, address: int) -> Place | None:
    objects = runtime.objects
    if objects.type_of(address).dotted != FRAME:
        return None
    path, line, name = (word or None for word in attributes.slot_words(objects, address, SLOTS))
    written, number = objects.text(path) if path else None, objects.integer(line) if line else None
    if written is None or number is None:
        return None
    function = objects.text(name) if name else None
    return Place(path=CodePath(printable(written)), line=number, name=Name(printable(function or "?")))
