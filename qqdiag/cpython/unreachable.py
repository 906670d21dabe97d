"""Waits without end: futures that nothing can complete, and tasks that wait for nothing but such tasks.

A future is completed by who holds it. The reference count says how many do; those of its own waiter are known: the
task's `fut_waiter`, the iterator that is awaited, the locals and value stacks of the task's coroutines, which do not
run before it is done. Where these are all there are, and no weak reference leads to it, only a cancellation of the task
can end the wait. Any other number proves nothing, and nothing is said.

`gather`, `shield`, `wait` and TaskGroup complete a future of their own when their children are done: it has one holder
more, a callback's closure or the group. A task is completed by its coroutine alone, whoever holds it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from qqdiag.cpython import containers, frame_objects, frames
from qqdiag.cpython.futures import MAX_AWAITERS, PENDING, fields
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import FUTURE
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Level, Python, Task

ITERATOR = "_asyncio.FutureIter"
COMPOSED = frozenset({"task", "gather", "shield", "wait"})  # kinds of leaves that others' ends complete
WEAK_LISTS = 208  # PyTypeObject.tp_weaklistoffset, negative for a managed one (Include/cpython/object.h)
MAX_CHILDREN = 1_000_000  # of all tasks together


def direct(runtime: Runtime, tasks: Iterable[Task]) -> list[int]:
    """The tasks that wait for a future which nothing but the wait itself holds."""
    return [task.address for task in tasks if waits_for_ever(runtime, task)]


def indirect(runtime: Runtime, python: Python, stuck: Iterable[int]) -> list[int]:
    """The tasks that wait for nothing but tasks that are `stuck`, or that wait for such.

    What a timer will cancel or complete is not among these: it ends.
    """
    timed = {address for loop in python.loops for timer in loop.timers for address in timer.wakes}
    waits = _waits(runtime, python, timed)
    waiters: dict[int, list[int]] = {}
    for address, parts in waits.items():
        for part in parts:
            waiters.setdefault(part, []).append(address)
    found = dict.fromkeys(address for address, parts in waits.items() if not parts)
    todo = [address for address in (*stuck, *found) if address not in timed]
    while todo:
        ended = todo.pop()
        for waiter in waiters.get(ended, []):
            waits[waiter].discard(ended)
            if not waits[waiter] and waiter not in found:
                found[waiter] = None
                todo += [] if waiter in timed else [waiter]
    return [task.address for task in python.tasks if task.address in found]


def _waits(runtime: Runtime, python: Python, timed: set[int]) -> dict[int, set[int]]:
    """By task: those that it waits for, where their ends alone can end its wait."""
    tasks = {task.address: task for task in python.tasks}
    found: dict[int, set[int]] = {}
    count = 0
    for task in python.tasks:
        parts = _parts(runtime, tasks, task) if task.waiter not in timed and count < MAX_CHILDREN else None
        if parts is not None:
            found[task.address] = parts
            count += len(parts)
    return found


def _parts(runtime: Runtime, tasks: dict[int, Task], task: Task) -> set[int] | None:
    """The tasks that a task waits for; None where something else may end its wait. Plain futures that nothing can
    complete are left out."""
    leaf = task.leaf
    if leaf is None or task.state.reveal() != PENDING or leaf.kind.reveal() not in COMPOSED:
        return None
    parts = list(dict.fromkeys([*([leaf.task] if leaf.task else []), *leaf.children]))
    if not parts or leaf.state.reveal() != PENDING or leaf.deadline_at is not None:
        return None
    try:
        if leaf.address not in tasks:
            others = 1 + sum(_awaited_by(runtime, part, leaf.address) for part in parts)
            if not _held_only_by(runtime, task, leaf.address, others):
                return None
        return _pending(runtime, tasks, parts)
    except Unreadable:
        return None


def _pending(runtime: Runtime, tasks: dict[int, Task], parts: list[int]) -> set[int] | None:
    """Those of the parts that are pending tasks; None where one runs, or is a future that something may complete."""
    found = set()
    for part in parts:
        state = tasks[part].state.reveal() if part in tasks else fields(runtime, part).state
        if state == PENDING and part in tasks:
            found.add(part)
        elif state in (PENDING, "running") and (part in tasks or not _alone(runtime, part)):
            return None
    return found


def _awaited_by(runtime: Runtime, part: int, future: int) -> bool:
    """Whether a part refers to the future that waits for it: since 3.14 both classes keep that (gh-91048)."""
    layout, objects = runtime.layout, runtime.objects
    if layout.future_awaited_by is None or layout.future_awaited_by_is_set is None:
        return False
    if FUTURE not in objects.type_of(part).bases:
        kept, several = fields(runtime, part).awaited_by, True
    else:
        kept = objects.read_word(part + layout.future_awaited_by)
        several = objects.read(part + layout.future_awaited_by_is_set, 1) != b"\0"
    return bool(kept) and (future in objects.items(kept, MAX_AWAITERS) if several else kept == future)


def _alone(runtime: Runtime, future: int) -> bool:
    """Whether a child of a gather or shield, which is no task that is known, is held by that alone."""
    info = runtime.objects.type_of(future)
    if info.is_task or _weakly_held(runtime, info.address, future):
        return False
    return _references(runtime, future) == 1


def waits_for_ever(runtime: Runtime, task: Task) -> bool:
    """Whether all references to what a pending task waits for are of the task's own wait."""
    future = task.waiter
    if future is None or task.leaf is None or task.leaf.address != future or task.leaf.state.reveal() != PENDING:
        return False
    try:
        return not runtime.objects.type_of(future).is_task and _held_only_by(runtime, task, future, 0)
    except Unreadable:
        return False


def _held_only_by(runtime: Runtime, task: Task, future: int, others: int) -> bool:
    """Whether a future has no references but those of the task's own wait, and `others` more."""
    info = runtime.objects.type_of(future)
    if not info.is_future or _weakly_held(runtime, info.address, future):
        return False
    own = 1 + sum(_held(runtime, level, future) for level in task.chain)
    return _references(runtime, future) == own + others


def _references(runtime: Runtime, address: int) -> int:
    """ob_refcnt, of which 3.12+ has 32 bits; a mortal object's never has more (gh-101696)."""
    (count,) = struct.unpack("<I", runtime.objects.read(address, 4))
    return int(count)


def _weakly_held(runtime: Runtime, type_address: int, address: int) -> bool:
    (offset,) = struct.unpack("<q", runtime.objects.read(type_address + WEAK_LISTS, 8))
    return bool(offset and runtime.objects.read_word(address + offset))


def _held(runtime: Runtime, level: Level, future: int) -> int:
    """How many references to the future one level of the chain holds."""
    if runtime.objects.type_of(level.address).dotted == ITERATOR:
        return int(runtime.objects.read_word(level.address + runtime.layout.wrapped) == future)
    frame = frames.frame_of(runtime, level.address)
    return _slots(runtime, frame).count(future) if frame is not None else 0


def _slots(runtime: Runtime, frame: frames.RawFrame) -> list[int]:
    """The words of a frame's locals and value stack. One that owns no reference (3.14+) has a flag in it, and so is
    equal to no address."""
    layout = runtime.layout
    if layout.frame_object is not None:
        head = frame_objects.read(runtime.objects, frame.address)
        return [*frames.slots(runtime, frame), *frame_objects.stack(runtime.objects, head, frames.MAX_STACK)]
    pointer = frame.address + layout.frame_stacktop
    top = runtime.objects.read_word(pointer) if layout.stacktop_is_pointer else runtime.objects.read_int(pointer)
    depth = layout.stack_depth(frame.address, top)
    if not 0 <= depth <= frame.code.localsplus + frames.MAX_STACK:
        raise Unreadable(frame.address)
    return list(containers.words(runtime.memory, frame.address + layout.frame_localsplus, depth))
