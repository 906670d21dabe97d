"""What no registry has: tasks that asyncio does not list, coroutines and async generators that are in no task's chain,
waits without end."""

from __future__ import annotations

import time
from typing import NamedTuple

from msgspec import structs

from qqdiag.cpython import chains, frame_objects, frames, futures, heap, iterated, unreachable
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name, TaskName, Word
from qqdiag.snapshot import Deep, Level, Orphan, Place, Python

MAX_OBJECTS = 3_000_000
MAX_CANDIDATES = 100_000
MAX_ROWS = 200
SECONDS = 10.0
MAX_STEPS = 40  # of a chain
COROUTINE, GENERATOR = "builtins.coroutine", "builtins.async_generator"
CREATED = {(3, 13): -3, (3, 14): -3, (3, 15): 0}  # FRAME_CREATED (Include/internal/pycore_frame.h), -2 before


class _Heap(NamedTuple):
    coroutines: list[int]
    generators: list[int]
    tasks: list[int]
    objects: int
    complete: bool


def read(runtime: Runtime, python: Python) -> Deep:
    """A walk over the whole heap, at most MAX_OBJECTS and SECONDS; what it found until then, when it was cut short."""
    started = time.monotonic()
    found = _walk(runtime, started + SECONDS)
    rows = _unlisted(runtime, python, found.tasks)
    rows += _unawaited(runtime, python, found)
    stuck = unreachable.direct(runtime, python.tasks)
    return Deep(
        objects=found.objects,
        seconds=time.monotonic() - started,
        complete=found.complete,
        orphans=rows[:MAX_ROWS],
        unreachable=stuck,
        endless=unreachable.indirect(runtime, python, stuck),
    )


def _walk(runtime: Runtime, deadline: float) -> _Heap:
    """The coroutines, async generators and tasks among the collector's objects."""
    coroutines, generators, tasks = list[int](), list[int](), list[int]()
    buckets = {COROUTINE: coroutines, GENERATOR: generators}
    kinds: dict[int, list[int] | None] = {}
    count, complete = 0, True
    try:
        for address, pointer in heap.objects(runtime, MAX_OBJECTS):
            count += 1
            if pointer not in kinds:
                info = runtime.objects.type_at(pointer)
                kinds[pointer] = tasks if info.is_task else None if info.heap else buckets.get(info.dotted)
            bucket = kinds[pointer]
            if bucket is not None and len(bucket) < MAX_CANDIDATES:
                bucket.append(address)
            if not count & 0xFFF and time.monotonic() > deadline:
                complete = False
                break
    except (heap.Torn, Unreadable):
        complete = False
    full = count >= MAX_OBJECTS or any(len(bucket) >= MAX_CANDIDATES for bucket in (coroutines, generators, tasks))
    return _Heap(coroutines, generators, tasks, count, complete and not full)


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
        chain = chains.follow(runtime, fields.coroutine) if fields.coroutine else chains.Chain([])
        row = _row(runtime, "task", fields.state, chain)
        found.append(structs.replace(row, address=address, task=TaskName(printable(fields.name or ""))))
    return found


def _unawaited(runtime: Runtime, python: Python, found: _Heap) -> list[Orphan]:
    """Coroutines and async generators that wait, stand at a `yield` or were never begun, in no task's chain: the
    outermost of each chain, equal ones once."""
    within = {level.address for task in python.tasks for level in task.chain} | _coroutines_of(runtime, found.tasks)
    outermost: dict[int, Orphan] = {}
    inner: set[int] = set()
    for address in [*found.coroutines, *found.generators]:
        chain = _standing(runtime, address) if address not in within else None
        if chain is not None:
            outermost[address] = _row(runtime, *_kind(runtime, address, chain), chain)
            inner |= {level.address for level in chain.levels[1:]}
    if any(row.kind == Word("async-generator") for row in outermost.values()):
        inner |= iterated.by_frames(runtime, python)
    groups: dict[object, list[int]] = {}
    for address, row in outermost.items():
        if address not in inner:
            groups.setdefault(_shape(row), []).append(address)
    rows = [structs.replace(outermost[members[0]], count=len(members)) for members in groups.values()]
    return sorted(rows, key=lambda row: (-row.count, row.kind.reveal(), row.name.reveal(), row.line or 0))


def _shape(row: Orphan) -> object:
    steps = tuple((step.name, step.path, step.line) for step in row.chain)
    return row.kind, row.state, row.name, row.path, row.line, steps, row.waits


def _standing(runtime: Runtime, address: int) -> chains.Chain | None:
    """The chain of a coroutine or generator that neither runs nor has ended."""
    try:
        chain = chains.follow(runtime, address) if _state(runtime, address) is not None else None
    except Unreadable:
        return None
    return chain if chain is not None and chain.levels and chain.levels[0].code is not None else None


def _kind(runtime: Runtime, address: int, chain: chains.Chain) -> tuple[str, str]:
    """(kind, state) as the snapshot has them."""
    state = _state(runtime, address) or "suspended"
    if runtime.objects.type_of(address).dotted != GENERATOR:
        return "coroutine", state
    alone = state == "suspended" and len(chain.levels) == 1 and not chain.end
    return "async-generator", "yielded" if alone else state


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


def _row(runtime: Runtime, kind: str, state: str, chain: chains.Chain) -> Orphan:
    first = chain.levels[0] if chain.levels else None
    place = _step(runtime, first) if first is not None else None
    steps = [_step(runtime, level) for level in chain.levels[1:MAX_STEPS]]
    return Orphan(
        kind=Word(kind),
        state=Word(state),
        address=first.address if first is not None else 0,
        name=first.name if first is not None else Name("?"),
        path=place.path if place is not None else None,
        line=place.line if place is not None else None,
        chain=[step for step in steps if step is not None],
        waits=_end(runtime, chain.end),
    )


def _step(runtime: Runtime, level: Level) -> Place | None:
    """The place of a level; None of a future or a wrapper, which has no code."""
    if level.code is None:
        return None
    return Place(path=runtime.codes.table[level.code].path, line=level.line or 0, name=level.name)


def _end(runtime: Runtime, address: int) -> Name | None:
    try:
        return chains.type_name(runtime.objects.type_of(address)) if address else None
    except Unreadable:
        return None
