"""The arrow's first half: a target becomes a snapshot. Two samples, an interval apart, and between them what needs one.

Everything has a deadline: whatever the target does, there is a snapshot in the end, and what is not in it is Missing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple, ParamSpec, TypeVar

from msgspec.structs import replace

from qqdiag.collect import Pending, begin, guarded
from qqdiag.collect import process as processes
from qqdiag.collect import sockets as socket_tables
from qqdiag.collect import tasks as memory
from qqdiag.collect.clocks import by_ours
from qqdiag.collect.thread_ids import as_here
from qqdiag.collect.whole import Whole
from qqdiag.cpython.known import Known
from qqdiag.errors import NotReadable
from qqdiag.memory.pause import NotPaused, Tracer
from qqdiag.model import Missing, Say, Word
from qqdiag.profiles import Profile, profiles
from qqdiag.recording import Memory, Recording
from qqdiag.snapshot import Deep, Growth, KnownFault, Logs, Monitor, Sample, Settings, Snapshot, Witness
from qqdiag.target import CaptureFile, Core, Live, Target

LIMIT = 7.0  # seconds for everything but the interval: so that a whole `inspect` ends within 10
AGAIN = 2.0  # times what the first look took, for the second: who has 100,000 tasks is still looked at twice
DEEP_LIMIT = 30.0  # seconds for a walk over the heap, which is asked for
KERNEL_LIMIT = 2.0  # seconds for each of the parts that the kernel tells

Progress = Callable[[str], None]
P = ParamSpec("P")
T = TypeVar("T")


class Once(NamedTuple):
    """What is looked at once, while the interval passes, without touching the target's Python."""

    witness: Pending[Witness]
    logs: Pending[Logs] | None
    faults: Pending[list[KnownFault] | None]
    growth: Pending[Growth] | None
    settings: Pending[Settings]


def take(
    target: Target,
    interval: float,
    *,
    pause: bool = True,
    deep: bool = False,
    variables: bool = False,
    progress: Progress | None = None,
) -> Snapshot:
    """A snapshot of a running process or of a core file, or the one that a capture holds.

    `interval`: seconds between the two samples, 0 for one sample. `pause`: whether the target may stand still for the
    moment of a copy. `deep`: whether the heap of a process is walked too. `variables`: whether the locals of frames are
    read too. `progress` is told each step.
    Raises TargetGone, NotReadable (not Python) and BadCapture.
    """
    if isinstance(target, CaptureFile):
        from qqdiag import capture

        return capture.open(target.path, deep=deep, variables=variables)
    if isinstance(target, Core):
        return record_core(target, deep=deep, variables=variables).snapshot
    found = record(target, interval, pause=pause, deep=deep, pages=False, variables=variables, progress=progress)
    return found.snapshot


def with_sources(snapshot: Snapshot) -> Snapshot:
    """With the source text of what a running process stands at; of anything else as it is."""
    if snapshot.origin != Word("live"):
        return snapshot
    from qqdiag.collect import sources

    deadline = time.monotonic() + KERNEL_LIMIT
    found = guarded("sources", deadline, sources.collect, snapshot.pid, snapshot.samples[-1])
    return snapshot if isinstance(found, Missing) else replace(snapshot, sources=found)


def record_core(target: Core, *, deep: bool = False, full: bool = False, variables: bool = False) -> Recording:
    """As `record`, of a core file. Raises NotReadable."""
    from qqdiag.collect import core

    seen = core.read(target.path, target.sysroot, heap=deep, full=full, variables=variables)
    memory = Memory(seen.pages, seen.regions)
    return Recording(seen.snapshot, (memory,), _memory_of(seen.whole), seen.machine)


def _memory_of(found: Whole | Missing | None) -> Memory | Missing | None:
    return found if found is None or isinstance(found, Missing) else Memory(found.pages, found.regions)


def record(
    target: Live,
    interval: float,
    *,
    pause: bool = True,
    deep: bool = False,
    full: bool = False,
    pages: bool = True,
    variables: bool = False,
    progress: Progress | None = None,
) -> Recording:
    """As `take`, of a running process, with the memory that a capture needs. `full`: all that it can write to, and
    the heap in it walked. `pages`: whether the memory is kept, hundreds of megabytes of 100,000 tasks."""
    step = progress or (lambda name: None)
    deadline = time.monotonic() + LIMIT + interval
    with ExitStack() as stack:
        tracer = _tracer(target.pid, stack) if pause and target.refused is None else None
        known = Known(variables=variables)
        sample, *memories = _sample(target, deadline, pause, tracer, known, step)
        if not pages:
            memories = [Memory({}, ())]
        samples, now = [sample], time.monotonic()
        deadline = max(deadline, now + interval + AGAIN * (now - sample.taken_at))
        once = _begin_once(target, sample, interval, deadline)
        if interval > 0:
            step("interval")
            time.sleep(max(0.0, sample.taken_at + interval - time.monotonic()))
            sample, second = _sample(target, deadline, pause, tracer, known, step)
            samples.append(sample)
            # What the first look learned the second did not read again.
            memories.append(second._replace(pages=memories[0].pages | second.pages if pages else {}))
        whole = _whole(target, pause, tracer, step) if full else None
        heap = whole.heap if isinstance(whole, Whole) else _deep(target, pause, tracer, step) if deep else whole
    step("witness, logs, monitor")
    monitored = _monitor(target.pid, sample, deadline)
    return Recording(_snapshot(target.pid, samples, once, monitored, heap), tuple(memories), _memory_of(whole))


def look(target: Live, known: Known, limit: float = LIMIT, *, pause: bool = True) -> Sample:
    """One sample by itself, within `limit` seconds. Raises as `take`."""
    with ExitStack() as stack:
        tracer = _tracer(target.pid, stack) if pause else None
        sample, _ = _sample(target, time.monotonic() + limit, pause, tracer, known, lambda name: None)
    return sample


def _tracer(pid: int, stack: ExitStack) -> Tracer | None:
    """Started before it is needed, so that its start costs no time."""
    if sys.platform != "linux":
        return None
    try:
        return stack.enter_context(Tracer(pid))
    except NotPaused:
        return None


def _sample(
    target: Live, deadline: float, pause: bool, tracer: Tracer | None, known: Known, step: Progress
) -> tuple[Sample, Memory]:
    """One look: the kernel's view first, because a pause changes what a thread is seen to do."""
    taken_at = time.monotonic()
    soon = min(deadline, taken_at + KERNEL_LIMIT)
    step("process")
    process = guarded("process", soon, processes.collect, target.pid)
    step("sockets")
    sockets = guarded("sockets", min(deadline, time.monotonic() + KERNEL_LIMIT), socket_tables.collect, target.pid)
    step("tasks")
    read: memory.Read | NotReadable | Missing = guarded(
        "python", deadline, _read, target, deadline, pause, tracer, known
    )
    target.check()
    if isinstance(read, NotReadable):
        raise read
    if isinstance(read, Missing):
        read = memory.Read(read, read, {}, (), 0.0)
    sample = Sample(taken_at=taken_at, process=process, sockets=sockets, python=read.python, gateway=read.gateway)
    return by_ours(as_here(sample)), Memory(read.pages, read.regions)


def _read(
    target: Live, deadline: float, pause: bool, tracer: Tracer | None, known: Known
) -> memory.Read | NotReadable | Missing:
    """The target's memory. That it is no Python ends the run, so it is an answer here and no part that is missing."""
    pid = target.pid
    if sys.platform != "linux":
        return Missing(Say("the memory of a process is read on Linux only"), Say("py-spy dump --pid {pid}", pid=pid))
    if target.refused is not None:
        raise target.refused
    try:
        return memory.collect(pid, deadline, pause=pause, tracer=tracer, known=known)
    except NotReadable as error:
        return error


def _of_this_program(target: Live, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function reads of the target's memory, if that may be read and is of the program that was sampled."""
    if target.refused is not None:
        raise target.refused
    found = function(*args, **kwargs)
    target.check()
    return found


def _begin_once(target: Live, sample: Sample, interval: float, deadline: float) -> Once:
    from qqdiag.collect import growth, logs, settings, threads, versions

    pid, profile = target.pid, profile_of(target.pid, sample)
    return Once(
        begin("witness", deadline, _of_this_program, target, threads.collect, pid),
        begin("logs", deadline, logs.collect, pid, profile, sample) if profile else None,
        begin("faults", deadline, _of_this_program, target, versions.collect, pid, sample),
        begin("growth", deadline, growth.collect, pid, interval) if interval > 0 else None,
        begin("settings", deadline, _of_this_program, target, settings.collect, pid, profile, sample),
    )


def _monitor(pid: int, sample: Sample, deadline: float) -> Monitor | Missing | None:
    """Last, because its answer is made inside the gateway: the garbage that this makes may collect a hanging task."""
    if isinstance(sample.sockets, Missing):
        return sample.sockets
    from qqdiag.collect import monitor

    return guarded("monitor", deadline, monitor.collect, pid, sample.sockets)


def _deep(target: Live, pause: bool, tracer: Tracer | None, step: Progress) -> Deep | Missing:
    """The walk over the heap, with a deadline of its own."""
    if sys.platform != "linux":
        return Missing(Say("the memory of a process is read on Linux only"), Say("inspect it there"))
    step("heap")
    deadline = time.monotonic() + DEEP_LIMIT
    return guarded("heap", deadline, _of_this_program, target, _walk_heap, target.pid, deadline, pause, tracer)


def _walk_heap(pid: int, deadline: float, pause: bool, tracer: Tracer | None) -> Deep | Missing:
    from qqdiag.collect import deep

    return deep.collect(pid, deadline, pause=pause, tracer=tracer)


def _whole(target: Live, pause: bool, tracer: Tracer | None, step: Progress) -> Whole | Missing:
    """All memory, within the time for the heap."""
    if sys.platform != "linux":
        return Missing(Say("the memory of a process is read on Linux only"), Say("capture it there"))
    from qqdiag.collect import whole

    step("all memory")
    deadline = time.monotonic() + DEEP_LIMIT
    return guarded(
        "memory", deadline, _of_this_program, target, whole.collect, target.pid, deadline, pause=pause, tracer=tracer
    )


def profile_of(pid: int, sample: Sample) -> Profile | None:
    """The gateway's profile, by its objects or else by its command line."""
    from qqdiag.find import runs

    gateway = sample.gateway
    found = None if isinstance(gateway, Missing) else gateway.profile
    return next((known for known in profiles() if found == Word(known.id) or (not found and runs(pid, known))), None)


def _snapshot(
    pid: int, samples: list[Sample], once: Once, monitored: Monitor | Missing | None, heap: Deep | Missing | None
) -> Snapshot:
    pauses = [sample.python.pause for sample in samples if not isinstance(sample.python, Missing)]
    return Snapshot(
        origin=Word("live"),
        pid=pid,
        wall_time=time.time(),
        samples=samples,
        witness=once.witness.result(),
        logs=once.logs.result() if once.logs else None,
        faults=once.faults.result(),
        monitor=monitored,
        deep=heap,
        pause=sum(pauses) + (heap.pause if isinstance(heap, Deep) else 0.0),
        growth=once.growth.result() if once.growth else None,
        settings=once.settings.result(),
    )
