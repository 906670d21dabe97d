"""What no registry has: tasks that asyncio does not list, coroutines that are in no task's chain, waits without end."""

from __future__ import annotations

import time
from typing import NamedTuple

from msgspec import structs

from qqdiag.cpython import chains, frame_objects, frames, futures, heap, unreachable
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name, TaskName, Word
from qqdiag.snapshot import Deep, Level, Orphan, Python

MAX_OBJECTS = 3_000_000
MAX_CANDIDATES = 100_000
MAX_ROWS = 200
SECONDS = 10.0
COROUTINE = "builtins.coroutine"
CREATED = {(3, 13): -3, (3, 14): -3, (3, 15): 0}  # FRAME_CREATED (Include/internal/pycore_frame.h), -2 before


class _Heap(NamedTuple):
    coroutines: list[int]
    tasks: list[int]
    objects: int
    complete: bool


def read(runtime: Runtime, python: Python) -> Deep:
    """A walk over the whole heap, at most MAX_OBJECTS and SECONDS; what it found until then, when it was cut short."""
    started = time.monotonic()
    found = _walk(runtime, started + SECONDS)
    rows = _unlisted(runtime, python, found.tasks)
    rows += _unawaited(runtime, python, found.coroutines, found.tasks)
    return Deep(
        objects=found.objects,
        seconds=time.monotonic() - started,
        complete=found.complete,
        orphans=rows[:MAX_ROWS],
        unreachable=[task.address for task in python.tasks if unreachable.waits_for_ever(runtime, task)],
    )


def _walk(runtime: Runtime, deadline: float) -> _Heap:
    """The coroutines and tasks among the collector's objects."""
    coroutines: list[int] = []
    tasks: list[int] = []
    kinds: dict[int, list[int] | None] = {}
    count, complete = 0, True
    try:
        for address, pointer in heap.objects(runtime, MAX_OBJECTS):
            count += 1
            if pointer not in kinds:
                info = runtime.objects.type_at(pointer)
                coroutine = info.dotted == COROUTINE and not info.heap
                kinds[pointer] = tasks if info.is_task else coroutines if coroutine else None
            bucket = kinds[pointer]
            if bucket is not None and len(bucket) < MAX_CANDIDATES:
                bucket.append(address)
            if not count & 0xFFF and time.monotonic() > deadline:
                complete = False
                break
    except (heap.Torn, Unreadable):
        complete = False
    full = len(coroutines) >= MAX_CANDIDATES or len(tasks) >= MAX_CANDIDATES or count >= MAX_OBJECTS
    return _Heap(coroutines, tasks, count, complete and not full)


def _unlisted(runtime: Runtime, python: Python, tasks: list[int]) -> list[Orphan]:
    """Pending tasks that asyncio's registry does not have."""
    listed = {task.address for task in python.tasks}
    found = []
    for address in tasks:
        try:
            fields = futures.fields(runtime, address) if address not in listed else None
        except Unreadable:
            continue
        if fields is None or fields.state != futures.PENDING:
            continue
        levels = chains.follow(runtime, fields.coroutine).levels if fields.coroutine else []
        row = _row(runtime, "task", fields.state, levels[:1])
        found.append(structs.replace(row, address=address, task=TaskName(printable(fields.name or ""))))
    return found


def _unawaited(runtime: Runtime, python: Python, coroutines: list[int], tasks: list[int]) -> list[Orphan]:
    """Coroutines that wait or were never begun, in no task's chain: the outermost of each chain, equal ones once."""
    within = {level.address for task in python.tasks for level in task.chain} | _coroutines_of(runtime, tasks)
    outermost: dict[int, Orphan] = {}
    inner: set[int] = set()
    for address in coroutines:
        try:
            state = _state(runtime, address) if address not in within else None
        except Unreadable:
            continue
        levels = chains.follow(runtime, address).levels if state is not None else []
        if state is not None and levels and levels[0].code is not None:
            outermost[address] = _row(runtime, "coroutine", state, levels[:1])
            inner |= {level.address for level in levels[1:]}
    groups: dict[Orphan, list[int]] = {}
    for address, row in outermost.items():
        if address not in inner:
            groups.setdefault(structs.replace(row, address=0), []).append(address)
    found = [structs.replace(row, address=members[0], count=len(members)) for row, members in groups.items()]
    return sorted(found, key=lambda row: -row.count)


def _coroutines_of(runtime: Runtime, tasks: list[int]) -> set[int]:
    """The coroutines of all tasks, listed or not, with what these await."""
    found: set[int] = set()
    for address in tasks:
        try:
            coroutine = futures.fields(runtime, address).coroutine
        except Unreadable:
            continue
        if coroutine and coroutine not in found:
            found |= {coroutine, *(level.address for level in chains.follow(runtime, coroutine).levels)}
    return found


def _state(runtime: Runtime, address: int) -> str | None:
    """created or suspended; None for a coroutine that runs or has ended."""
    layout = runtime.layout
    if layout.coroutine_state is None:
        frame = frames.frame_of(runtime, address)
        state = frame_objects.read(runtime.objects, frame.address).state if frame else frame_objects.EXECUTING
        return {frame_objects.CREATED: "created", frame_objects.SUSPENDED: "suspended"}.get(state)
    (byte,) = runtime.objects.read(address + layout.coroutine_state, 1)
    state = byte - (byte >> 7 << 8)
    if state in layout.states_suspended:
        return "suspended"
    return "created" if state == CREATED.get(layout.version, frame_objects.CREATED) else None


def _row(runtime: Runtime, kind: str, state: str, levels: list[Level]) -> Orphan:
    level = levels[0] if levels else None
    code = runtime.codes.table[level.code] if level is not None and level.code is not None else None
    return Orphan(
        kind=Word(kind),
        state=Word(state),
        address=level.address if level is not None else 0,
        name=level.name if level is not None else Name("?"),
        path=code.path if code is not None else None,
        line=level.line if level is not None else None,
    )
