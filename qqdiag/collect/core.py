"""What a core file tells: threads, loops, tasks and the gateway's objects, as the process's memory had them at its end.

A core has no kernel: no sockets, no system calls, no clock. What those would say is Missing.
"""

from __future__ import annotations

from pathlib import Path as FilePath

from msgspec.structs import replace

from qqdiag.collect.tasks import Parts, walk
from qqdiag.errors import NotReadable
from qqdiag.memory.core import CoreMemory
from qqdiag.memory.unpacked import opened
from qqdiag.model import Bytes, Missing, Path, Say, Secret, Word
from qqdiag.profiles import profiles
from qqdiag.snapshot import Python, Sample, Snapshot

METHOD = Word("core")


def collect(path: FilePath) -> Snapshot:
    """The snapshot of a core, with one sample. Raises NotReadable (no core, no Python, its files are missing)."""
    with opened(path) as (file, size):
        core = CoreMemory(file, size)
        try:
            python, gateway = _walk(core)
        finally:
            core.close()
    at = python.taken_at if isinstance(python, Python) else 0.0
    process = Missing(_process(core), Say("inspect a process while it lives: qqdiag inspect PID"))
    sockets = _none("sockets")
    sample = Sample(taken_at=at, process=process, sockets=sockets, python=python, gateway=gateway)
    return Snapshot(
        origin=METHOD,
        pid=core.told.pid,
        wall_time=path.stat().st_mtime,
        samples=[sample],
        witness=Missing(Say("py-spy reads processes that live"), Say("py-spy dump --pid PID")),
        logs=_none("logs"),
        monitor=None,
    )


def _walk(core: CoreMemory) -> Parts:
    try:
        python, gateway = walk(profiles())(core)
    except NotReadable as error:
        raise _with_files(error, core) from error
    if isinstance(python, Python):
        python = replace(
            python, taken_at=_earliest(python), method=METHOD, doubts=[*python.doubts, *_doubts(core, python)]
        )
    return python, gateway


def _earliest(python: Python) -> float:
    """The moment of the core as far as it can be told: the soonest timer stands for now, so that none is overdue."""
    return min((timer.when_at for loop in python.loops for timer in loop.timers), default=0.0)


def _doubts(core: CoreMemory, python: Python) -> list[Say]:
    """What must be known of a core before it is believed."""
    found = _lacking(core)
    if core.missing:
        found.append(Say("the core was cut: {size} of the memory are not in it", size=Bytes(core.missing)))
    if any(loop.timers for loop in python.loops):
        found.append(Say("a core has no clock: the times of timers count from the soonest of them"))
    return found


def _lacking(core: CoreMemory) -> list[Say]:
    """Why files that the process had mapped do not stand for the pages that the core leaves out."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in core.originals.lacking.items():
        by_reason.setdefault(reason, []).append(path)
    return [_sentence(reason, len(paths), Path(sorted(paths)[0])) for reason, paths in sorted(by_reason.items())]


def _sentence(reason: str, count: int, file: Path) -> Say:
    if reason == "gone":
        return Say("{count} files that the process had mapped are not here, {file} for one", count=count, file=file)
    if reason == "other":
        return Say(
            "{count} files are not of the build in the core and were not used, {file} for one", count=count, file=file
        )
    return Say(
        "the core does not say of which build {count} files were: not used, {file} for one", count=count, file=file
    )


def _with_files(error: NotReadable, core: CoreMemory) -> NotReadable:
    lacking = _lacking(core)
    if not lacking:
        return error
    hint = Say("look at the core where its process ran, or bring its files to the same places")
    return NotReadable(Say("{why} {file}", why=error.message, file=lacking[0]), hint)


def _process(core: CoreMemory) -> Say:
    told = core.told
    command = Secret(told.command)
    if told.signal:
        return Say(
            "a core has no view of the kernel; it was process {pid} ({command}), ended by signal {signal}",
            pid=told.pid,
            command=command,
            signal=told.signal,
        )
    return Say("a core has no view of the kernel; it was process {pid} ({command})", pid=told.pid, command=command)


def _none(section: str) -> Missing:
    return Missing(
        Say("a core file has no {section}", section=Word(section)),
        Say("inspect a process while it lives: qqdiag inspect PID"),
    )
