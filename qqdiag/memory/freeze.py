"""A consistent view of a running target for the shortest possible pause.

A walk over the live memory of a busy target meets torn structures: up to a quarter of the answers were silently wrong.
So walk it once to learn which pages it needs. If no thread ran meanwhile, as in most gateways that hang, that is the
answer, and nothing was paused. Else walk it again, for what one walk has learned for good the next need not read;
then stop the target, copy just these pages (0.3 to 0.8 ms, however large the target is), let it go, and walk the copy.
Where that cannot be had, read twice and keep only what is equal.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Generic, NamedTuple, TypeVar

from qqdiag.errors import QqdiagError
from qqdiag.memory.copied import Copied, Range, ranges_of
from qqdiag.memory.live import PAGE, LiveMemory, gone
from qqdiag.memory.pause import NotPaused, Tracer
from qqdiag.memory.rest import is_stopped, threads_at_rest
from qqdiag.memory.source import MemorySource, Region, Unreadable
from qqdiag.model import Say, Word

T = TypeVar("T")
Walk = Callable[[MemorySource], T]
Agree = Callable[[T, T], T | None]

# Freezes, each with the pages that the walks before it had missed, and so many bytes of their neighbourhood: 0.2 ms for
# a MiB. The places where a target makes new objects are soon all known; of one that moves on faster than it is walked
# whole pools (16 KiB, Objects/obmalloc.c) are copied, and what lies around them.
EXTRA = tuple(size << 20 for size in (1, 1, 1, 2, 4, 4, 8, 8, 8, 16, 16, 16))
BULK = 32 << 20  # bytes of writable memory that may still be copied as a whole; about 7 ms
WARM = 2  # readings between the first one and the freeze
GLANCES = 20  # and short ones: each round of copies that they save is a pause less
MAX_HABITS = 256  # pages
TRIES = 4  # where a thread does not stop in time, or the memory changes too fast
RESERVE = 3.0  # seconds that are left for readings without a pause
BRIEF = 0.3  # seconds: a first walk that took longer has no such, most of what it read are tasks
COPY_WITHIN = 1.0  # seconds for the child to answer; then it is killed, which releases the target
SLOWEST = 64 << 20  # bytes a second, beyond that: on a busy machine it may take so long to have room for much
TWICE = 2  # a reading is repeated when there is so many times the time left that the first one took
SECCOMP_FILTER = 2  # linux/seccomp.h SECCOMP_MODE_FILTER, in the field Seccomp of /proc/PID/status
READINGS = 6  # without a pause: how often to read before giving up on two equal answers


class Frozen(NamedTuple, Generic[T]):
    """What a walk found, and how consistent the memory was that it walked."""

    value: T
    taken_at: float  # time.monotonic() when the memory was copied or read
    pause: float  # seconds the target stood still, over all rounds
    late_pages: int  # read after the copy, over all rounds; none of them in `value` when the method is frozen
    method: Word  # asleep stopped frozen double-read unpaused
    pages: dict[int, bytes]  # by address: every page that the walks touched, of the last moment where it was touched
    regions: Sequence[Region]
    because: Say | None = None  # why there was no pause


class Spent:
    """What all readings of one freeze have cost, and every page that one of them touched, the youngest last.

    Of every reading, also of one that came to nothing: a walk keeps what it learns of types and code for the next.
    """

    def __init__(self) -> None:
        self.pause = 0.0  # seconds
        self.late = 0  # pages
        self.pages: dict[int, bytes] = {}
        self.needed: set[int] = set()  # addresses of pages that a copy must have

    def on(self, found: Frozen[T]) -> Frozen[T]:
        return found._replace(pause=self.pause, late_pages=self.late, pages=self.pages)


def freeze(
    pid: int,
    walk: Walk[T],
    deadline: float,
    *,
    pause: bool = True,
    agree: Agree[T] | None = None,
    tracer: Tracer | None = None,
    habits: set[int] | None = None,
    glance: Walk[object] | None = None,
) -> Frozen[T]:
    """Walk a consistent copy of the target's memory, or what can be had of it before `deadline` (time.monotonic()).

    `agree` makes one value of two readings, or None where they contradict each other; equality, if not given.
    `tracer`: a child that was started earlier; it stays open. `habits`: pages that earlier freezes of the
    same target came to need, to which this one adds. `glance`: a walk over little, of what changes all the time, that
    learns for `walk` what it may meet there. Raises what `walk` and `LiveMemory` raise.
    """
    because = None
    began = time.monotonic()
    spent = Spent()
    with LiveMemory(pid, read_ahead=PAGE) as live:
        live.deadline = deadline
        before = threads_at_rest(pid)
        first = _first(live, walk, spent)
        last_start = deadline - TWICE * (time.monotonic() - began)
        if first is not None and before and before == threads_at_rest(pid):
            return first._replace(method=Word("stopped" if is_stopped(before) else "asleep"))
        if pause and time.monotonic() < last_start:
            if time.monotonic() - began < BRIEF:
                first = _again(live, walk, spent)
            if glance is not None:
                _glance(live, glance, spent)
            frozen = _frozen_or_why(live, first, walk, tracer, set() if habits is None else habits, spent)
            if isinstance(frozen, Frozen):
                return spent.on(frozen)
            because = frozen
        agree = agree or (lambda one, two: two if one == two else None)
        found = _read_twice(live, walk, last_start, agree, first, spent)
    return spent.on(found)._replace(because=because)


def _first(live: LiveMemory, walk: Walk[T], spent: Spent) -> Frozen[T] | None:
    """A reading to learn the pages, which `live` keeps. None when a torn structure ended it."""
    try:
        return _reading(live, walk, spent)
    except Unreadable:
        return None


def _again(live: LiveMemory, walk: Walk[T], spent: Spent) -> Frozen[T] | None:
    """Readings that need only the pages which the next one will need too: each may have missed some, as a thread's
    stack is easily torn. The value of the last one; the pages of the first as well where a torn structure ended one."""
    learned, needed, whole = dict(live.pages), dict[int, bytes](), True
    for _ in range(WARM):
        live.forget()
        last = _first(live, walk, spent)
        needed |= live.pages
        whole = whole and last is not None
    live.pages.update((needed if whole else learned | needed) | live.pages)
    return last


def _glance(live: LiveMemory, glance: Walk[object], spent: Spent) -> None:
    """Learn what a target that runs needs at one moment and not at another: the stacks of its threads."""
    learned = dict(live.pages)
    for _ in range(GLANCES):
        live.forget()
        try:
            glance(live)
        except (QqdiagError, Unreadable):
            continue
        finally:
            spent.pages |= live.pages
            spent.needed |= live.pages.keys()
    live.forget()
    live.pages.update(learned)


def _frozen_or_why(
    live: LiveMemory,
    first: Frozen[T] | None,
    walk: Walk[T],
    tracer: Tracer | None,
    habits: set[int],
    spent: Spent,
    tries: int | None = None,
) -> Frozen[T] | Say:
    tries = TRIES if tries is None else tries
    try:
        found = _freeze(live, first, walk, tracer, habits, spent)
        if found is None and tries > 1 and time.monotonic() < live.deadline - RESERVE:
            # It may have been importing, or starting something: that passes.
            return _frozen_or_why(live, _again(live, walk, spent), walk, tracer, habits, spent, tries - 1)
        return found or Say("its memory changed faster than it could be copied")
    except NotPaused as problem:
        # On a busy machine a thread that did not stop in time may just not have had a processor.
        if problem.number == errno.ETIMEDOUT and tries > 1 and time.monotonic() < live.deadline:
            return _frozen_or_why(live, first, walk, tracer, habits, spent, tries - 1)
        return _reason(live.pid, problem)


def _freeze(
    live: LiveMemory,
    first: Frozen[T] | None,
    walk: Walk[T],
    tracer: Tracer | None,
    habits: set[int],
    spent: Spent,
) -> Frozen[T] | None:
    # What `live` keeps now may be less than the first reading saw: a walk over a copy renews it.
    learned = {} if first is None else first.pages
    spent.needed |= habits | live.pages.keys()
    needed = spent.needed
    with ExitStack() as stack:
        if tracer is None or not tracer.alive:
            tracer = stack.enter_context(Tracer(live.pid))
        for attempt, extra in enumerate((*EXTRA, None)):
            size = len(needed) * PAGE
            ranges = _bulk(live) if extra is None else ranges_of(needed, live.regions(), size + max(extra, size >> 5))
            if not ranges:
                break
            taken_at = time.monotonic()
            limit = COPY_WITHIN + sum(size for _, size in ranges) / SLOWEST
            copy = tracer.copy(ranges, taken_at + limit)
            live.check()  # what it copied by pid is of the program that was walked
            spent.pause += copy.pause
            memory = Copied(ranges, copy.data, copy.unread, live)
            # A walk depends on the pages it read and on nothing else: where none has changed, it is not repeated.
            same = attempt == 0 and first is not None and _unchanged(learned, memory)
            value = first.value if first and same else _walk(memory, walk)
            spent.late += len(memory.late)
            spent.pages |= memory.later.pages | memory.pages
            if not memory.late and value is not None:
                return Frozen(value, taken_at, 0.0, 0, Word("frozen"), {}, live.regions())
            needed |= memory.late
            if len(habits) < MAX_HABITS:
                habits |= memory.late
    return None


def _walk(memory: Copied, walk: Walk[T]) -> T | None:
    """What a walk over the copy finds; None when it went astray in a page that is not of the copy."""
    try:
        return walk(memory)
    except (QqdiagError, Unreadable):
        if not memory.late:
            raise
        return None


def _unchanged(learned: dict[int, bytes], memory: Copied) -> bool:
    """Whether the copy has what was read before it. Pages that are not in the copy are fixed."""
    return all(memory.read(start, PAGE) == page for start, page in learned.items()) and not memory.late


def _bulk(live: LiveMemory) -> list[Range]:
    """All private memory that can change, if that is little enough to copy at once."""
    ranges = [(r.start, r.end - r.start) for r in live.regions() if r.readable and r.writable]
    return ranges if sum(size for _, size in ranges) <= BULK else []


def _reading(live: LiveMemory, walk: Walk[T], spent: Spent) -> Frozen[T]:
    taken_at = time.monotonic()
    try:
        value = walk(live)
    finally:
        spent.pages |= live.pages
    return Frozen(value, taken_at, 0.0, 0, Word("unpaused"), dict(live.pages), live.regions())


def _read_twice(
    live: LiveMemory,
    walk: Walk[T],
    last_start: float,
    agree: Agree[T],
    last: Frozen[T] | None,
    spent: Spent,
) -> Frozen[T]:
    """Read fresh pages of the same address space until two readings agree: that removed every silent error of an
    unpaused reading."""
    for left in range(READINGS - 1, -1, -1):
        if last is not None and time.monotonic() > last_start:
            break
        live.forget()
        try:
            new = _reading(live, walk, spent)
        except (Unreadable, TimeoutError):
            if last is None and (not left or time.monotonic() > live.deadline):
                raise
            continue
        agreed = agree(last.value, new.value) if last else None
        if agreed is not None:
            return new._replace(value=agreed, method=Word("double-read"))
        last = new
    assert last
    return last


def _reason(pid: int, problem: NotPaused) -> Say:
    """Why there was no pause. Raises TargetGone when there is nothing left to pause."""
    if problem.number in (errno.ESRCH, errno.ENOENT):
        raise gone(pid) from None
    other = _of_status(str(pid), b"TracerPid:")
    if other:
        return Say("process {tracer} traces it already", tracer=other)
    if problem.number == errno.ETIMEDOUT:
        return Say("a thread of it did not stop in time")
    if problem.number == errno.EPERM and _of_status("self", b"Seccomp:") == SECCOMP_FILTER:
        return Say("a seccomp filter forbids ptrace; docker run --security-opt seccomp=unconfined would not")
    return Say("the kernel did not let it be paused ({error})", error=Word(errno.errorcode.get(problem.number, "?")))


def _of_status(pid: str, field: bytes) -> int:
    """A number of /proc/PID/status (proc(5)); 0 when there is none or the process is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(field)), 0)
    except OSError:
        return 0
