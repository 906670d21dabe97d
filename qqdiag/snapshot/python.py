"""The interpreter as a whole, the walk over its heap, and the second witness of its threads."""

from __future__ import annotations

import msgspec

from qqdiag.model import CodePath, Missing, Name, Say, TaskName, Word
from qqdiag.snapshot.code import Code, Locals, PyThread
from qqdiag.snapshot.tasks import Lock, Loop, Place, Task


class Python(msgspec.Struct, frozen=True, kw_only=True, tag="python"):
    """Interpreter state from one frozen copy of the target's memory."""

    version: list[int]  # 3, 12, 1
    flavour: list[Word] = []  # debug free-threaded static …
    layout: Word  # which layout was used, and whether the target published it
    taken_at: float
    pause: float  # seconds the target stood still, 0 without a pause
    method: Word  # asleep (no thread ran while it was read), stopped, frozen, double-read, unpaused
    late_pages: int
    has_asyncio: bool
    complete: bool = True  # False: parts were torn, or changed while they were read; what is absent may have been there
    codes: list[Code] = []
    threads: list[PyThread] = []
    loops: list[Loop] = []
    tasks: list[Task] = []
    locks: list[Lock] = []
    unreachable: list[int] | None = None  # tasks whose future has no reference but their own wait's; None: not counted
    locals: Locals | Missing | None = None  # None: not asked for
    doubts: list[Say] = []


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """A task that asyncio's registry does not have, or coroutines and async generators at one place that are in no
    task's chain."""

    kind: Word  # task coroutine async-generator
    state: Word  # pending; created (never begun) suspended; of a generator also yielded: it stands at a `yield`
    address: int  # of the first
    name: Name  # of the coroutine
    path: CodePath | None = None
    line: int | None = None
    count: int = 1
    task: TaskName | None = None
    chain: list[Place] = []  # what it awaits, outermost first
    waits: Name | None = None  # the type of what the chain ends in


class Deep(msgspec.Struct, frozen=True, kw_only=True, tag="deep"):
    """What a walk over the whole heap found: everything that the garbage collector tracks."""

    objects: int
    seconds: float
    pause: float = 0.0  # seconds the target stood still for it
    complete: bool  # False: cut short, or the lists of objects were torn
    orphans: list[Orphan] = []
    unreachable: list[int] = []  # tasks that wait for a future which nothing but the wait itself holds
    endless: list[int] = []  # tasks that wait for nothing but such futures and tasks


class WitnessFrame(msgspec.Struct, frozen=True, kw_only=True):
    name: Name
    path: CodePath
    line: int


class WitnessThread(msgspec.Struct, frozen=True, kw_only=True):
    tid: int | None
    frames: list[WitnessFrame] = []  # innermost first


class Witness(msgspec.Struct, frozen=True, kw_only=True, tag="witness"):
    """Thread stacks by py-spy, taken a moment apart from ours."""

    version: Word
    threads: list[WitnessThread] = []
