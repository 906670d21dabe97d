"""Threads, loops, tasks and the gateway's objects: everything that is read from the target's memory, at one moment."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from msgspec.structs import replace

from qqdiag.collect import attempt
from qqdiag.cpython import frames, variables
from qqdiag.cpython.known import Known
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import Runtime, attach
from qqdiag.memory.freeze import Frozen, freeze
from qqdiag.memory.pause import Tracer
from qqdiag.memory.source import MemorySource, Region
from qqdiag.model import Missing, Say
from qqdiag.profiles import Profile, profiles
from qqdiag.snapshot import Gateway, Locals, Python, Task

CHANGED = 0.2  # share of the tasks that may differ between two unpaused readings before they are read again

Parts = tuple[Python | Missing, Gateway | Missing]


class Read(NamedTuple):
    """What the memory held, and the memory itself as far as it was looked at: a capture needs both."""

    python: Python | Missing
    gateway: Gateway | Missing
    pages: dict[int, bytes]
    regions: Sequence[Region]
    pause: float  # seconds


def collect(
    pid: int, deadline: float, *, pause: bool = True, tracer: Tracer | None = None, known: Known | None = None
) -> Read:
    """Read a running target, paused for the moment of one copy unless `pause` forbids it.

    `known`: what earlier readings of the same target have learned; this one adds to it.
    Raises NotReadable, NoSuchTarget, NotPermitted and TargetGone.
    """
    known = known or Known()
    with uncollected():
        frozen = freeze(
            pid,
            walk(profiles(), known),
            deadline,
            pause=pause,
            agree=agree,
            tracer=tracer,
            habits=known.pages,
            glance=glance(known),
        )
    python, gateway = frozen.value
    if isinstance(python, Python):
        python = _stamped(python, frozen)
    return Read(python, gateway, frozen.pages, frozen.regions, frozen.pause)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without our own garbage collector: a walk makes thousands of objects and drops few, it would cost a third."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def walk(patterns: Sequence[Profile], known: Known | None = None) -> Callable[[MemorySource], Parts]:
    """What is read from a memory, whoever holds it: a process, a frozen copy or a capture. All of one target."""
    known = known or Known()

    def read(memory: MemorySource) -> Parts:
        runtime = attach(memory, known)
        python = attempt("python", read_python, runtime, time.monotonic())
        if isinstance(python, Missing):
            return python, python
        if known.variables:
            python = replace(python, locals=attempt("locals", variables.read, runtime, python.tasks, python.threads))
        found = attempt("gateway", _gateway, runtime, python, patterns)
        return (python, found) if isinstance(found, Missing) else found

    return read


def glance(known: Known) -> Callable[[MemorySource], None]:
    """What is read of a target again and again before it is stopped: where its threads are."""

    def read(memory: MemorySource) -> None:
        runtime = attach(memory, known)
        for thread in frames.threads(runtime, []):
            frames.public(runtime, thread, None)

    return read


def _gateway(runtime: Runtime, python: Python, known: Sequence[Profile]) -> tuple[Python, Gateway]:
    from qqdiag.collect.gateway import read_gateway

    return read_gateway(runtime, python, known)


def agree(one: Parts, two: Parts) -> Parts | None:
    """Of two readings without a pause, what both say: a task that was torn while it was read differs in them."""
    before, after = one[0], two[0]
    if isinstance(before, Missing) or isinstance(after, Missing):
        return None
    seen = {_essence(task) for task in before.tasks}
    tasks = [task for task in after.tasks if _essence(task) in seen]
    changed = len(after.tasks) - len(tasks)
    if changed > CHANGED * len(after.tasks):
        return None
    if changed:
        doubt = Say("tasks that changed while they were read without a pause, and are left out: {count}", count=changed)
        after = replace(after, doubts=[*after.doubts, doubt], complete=False)
    return replace(after, tasks=tasks, locals=_of_tasks(after, tasks)), two[1]


def _of_tasks(python: Python, tasks: list[Task]) -> Locals | Missing | None:
    """The locals of these tasks alone."""
    if not isinstance(python.locals, Locals):
        return python.locals
    kept = {task.address for task in tasks}
    return replace(python.locals, frames=[frame for frame in python.locals.frames if frame.task in kept])


def _essence(task: Task) -> object:
    """What must not differ: code objects are compared by name, as their numbers depend on the order of reading."""
    chain = tuple((level.kind, level.address, level.name, level.line, level.offset) for level in task.chain)
    leaf = task.leaf and (task.leaf.kind, task.leaf.address, task.leaf.state, tuple(task.leaf.children))
    return (task.address, task.name, task.state, task.loop, task.coroutine, task.waiter, chain, leaf)


def _stamped(python: Python, frozen: Frozen[Parts]) -> Python:
    """With how it was had; an unpaused reading that nothing confirms says so."""
    doubts = list(python.doubts)
    if frozen.because is not None:
        doubts.append(Say("read without a pause: {why}", why=frozen.because))
    if frozen.method.reveal() == "unpaused":
        doubts.append(Say("no two readings agreed: parts of this may not fit together"))
        python = replace(python, complete=False)
    return replace(
        python,
        taken_at=frozen.taken_at,
        pause=frozen.pause,
        method=frozen.method,
        late_pages=frozen.late_pages,
        doubts=doubts,
    )
