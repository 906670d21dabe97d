"""What a core file tells: threads, loops, tasks and the gateway's objects, as the process's memory had them at its end.

A core has no kernel: no sockets, no system calls, no clock. What those would say is Missing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path as FilePath
from typing import NamedTuple

from msgspec.structs import replace

from qqdiag.collect import attempt, deep, lacking, rooted, whole
from qqdiag.collect.tasks import Parts, uncollected, walk
from qqdiag.cpython.known import Known
from qqdiag.errors import NotReadable
from qqdiag.memory.core import CoreMemory
from qqdiag.memory.originals import open_here
from qqdiag.memory.source import Region
from qqdiag.memory.unpacked import opened
from qqdiag.model import Bytes, Missing, Say, Secret, Word
from qqdiag.profiles import profiles
from qqdiag.snapshot import Deep, Gateway, Python, Sample, Snapshot

METHOD = Word("core")
PATH_MAX = 4096  # linux/limits.h; a damaged core may name longer ones


class Seen(NamedTuple):
    """A snapshot of a core, and the memory that it was read from."""

    snapshot: Snapshot
    pages: dict[int, bytes]  # those that were needed
    regions: list[Region]
    whole: whole.Whole | Missing | None  # None: not asked for
    machine: str  # x86_64 aarch64


def collect(path: FilePath, sysroot: FilePath | None = None) -> Snapshot:
    """The snapshot of a core, with one sample. Raises what `read` raises."""
    return read(path, sysroot).snapshot


def read(
    path: FilePath,
    sysroot: FilePath | None = None,
    *,
    heap: bool = False,
    full: bool = False,
    variables: bool = False,
) -> Seen:
    """As `collect`, with the memory behind it. Raises NotReadable (no core, no Python, its files are missing).

    `sysroot`: the folder below which the files of the process lie, as gdb calls it. `heap`: whether the heap is walked
    too, `full`: whether all that the process could write to is wanted, `variables`: whether locals are.
    """
    with _memory(path, sysroot) as core:
        with uncollected():
            python, gateway = _walk(core, variables)
        pages, regions = dict(core.pages), list(core.regions())
        kept = attempt("heap", whole.of_core, core) if full else None
        found = _heap(core, heap or full, kept)
        if isinstance(python, Python):
            python = replace(python, doubts=[*python.doubts, *_doubts(core, python)])
    snapshot = Snapshot(
        origin=METHOD,
        pid=core.told.pid,
        wall_time=path.stat().st_mtime,
        samples=[_sample(core, python, gateway)],
        witness=Missing(
            Say("py-spy reads processes that live"), Say("gdb PYTHON CORE, and in it: thread apply all backtrace")
        ),
        logs=Missing(
            Say("a core file has no logs"),
            Say("read the log files that it wrote, or what systemd has: journalctl _PID={pid}", pid=core.told.pid),
        ),
        monitor=None,
        deep=found,
    )
    return Seen(snapshot, pages, regions, kept, core.machine)


@contextmanager
def _memory(path: FilePath, sysroot: FilePath | None) -> Iterator[CoreMemory]:
    find = open_here if sysroot is None else partial(_below, sysroot)
    with opened(path) as (file, size):
        core = CoreMemory(file, size, find)
        try:
            yield core
        finally:
            core.close()


def _below(sysroot: FilePath, path: str) -> int:
    """gcore writes the paths as it saw them: of a process with another root they begin with that."""
    if len(path) > PATH_MAX:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    root = str(sysroot.resolve())
    return rooted.open_file(root, path.removeprefix(root) if path.startswith(f"{root}/") else path)


def _walk(core: CoreMemory, variables: bool) -> Parts:
    try:
        python, gateway = walk(profiles(), Known(variables=variables))(core)
    except NotReadable as error:
        raise lacking.with_files(error, core.originals) from error
    if isinstance(python, Python):
        doubts = [*python.doubts, *_holes(core, python)]
        python = replace(python, taken_at=_earliest(python), method=METHOD, doubts=doubts)
    return python, gateway


def _holes(core: CoreMemory, python: Python) -> list[Say]:
    """Zeros in place of memory, where something ends in them that should not."""
    count = core.blank() if any(thread.truncated for thread in python.threads) else 0
    if not count:
        return []
    return [
        Say(
            "the core has zeros where stacks were (places: {count}), as gcore before gdb 18 leaves them with glibc "
            "2.42: what stood there is cut; a core by the kernel has it, and so has `qqdiag capture PID --full`",
            count=count,
        )
    ]


def _heap(core: CoreMemory, wanted: bool, kept: whole.Whole | Missing | None) -> Deep | Missing | None:
    if not wanted:
        return None
    return kept.heap if isinstance(kept, whole.Whole) else attempt("heap", deep.walk, core)


def _sample(core: CoreMemory, python: Python | Missing, gateway: Gateway | Missing) -> Sample:
    return Sample(
        taken_at=python.taken_at if isinstance(python, Python) else 0.0,
        process=Missing(
            _process(core), Say("what systemd kept beside it, if it did: coredumpctl info {pid}", pid=core.told.pid)
        ),
        sockets=Missing(Say("a core file has no sockets"), Say("inspect a process while it lives: qqdiag inspect PID")),
        python=python,
        gateway=gateway,
    )


def _earliest(python: Python) -> float:
    """The moment of the core as far as it can be told: the soonest timer stands for now, so that none is overdue."""
    return min((timer.when_at for loop in python.loops for timer in loop.timers), default=0.0)


def _doubts(core: CoreMemory, python: Python) -> list[Say]:
    """What must be known of a core before it is believed."""
    found = lacking.sentences(core.originals)
    if core.missing:
        found.append(Say("the core was cut: {size} of the memory are not in it", size=Bytes(core.missing)))
    if any(loop.timers for loop in python.loops):
        found.append(Say("a core has no clock: the times of timers count from the soonest of them"))
    return found


def _process(core: CoreMemory) -> Say:
    told = core.told
    command = Secret(told.command)
    if told.signal:
        return Say(
            "a core has no view of the kernel; it was process {pid} ({command}), ended by signal {signal} in "
            "thread {tid}",
            pid=told.pid,
            command=command,
            signal=told.signal,
            tid=told.thread,
        )
    return Say("a core has no view of the kernel; it was process {pid} ({command})", pid=told.pid, command=command)
