"""The same snapshot with a part of its evidence taken away: what is said then may be less, and never something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from matrix_table import MARKS, grave, words
from msgspec.structs import replace

from qqdiag.diagnose import diagnose
from qqdiag.finding import Diagnosis, Severity
from qqdiag.model import Missing, Say
from qqdiag.snapshot import Logs, Process, Python, Sample, Snapshot, Sockets

# What may be said instead where no memory could be read: which of the two it is, takes the stack.
OUTSIDE = {"hot-loop": {"loop-spinning"}}
GONE = Missing(Say("it was taken away by a test"), Say("give it back"))
Section = TypeVar("Section", Process, Sockets, Python)


def without_evidence(snapshot: Snapshot) -> dict[str, Snapshot]:
    """One thing taken away at a time, and then the larger ones by two."""
    found = {"second sample": replace(snapshot, samples=snapshot.samples[-1:]), "logs": without_logs(snapshot)}
    if isinstance(snapshot.logs, Logs) and snapshot.logs.state is not None:
        found["state file"] = replace(snapshot, logs=replace(snapshot.logs, state=GONE))
    for section in ("process", "sockets", "python", "gateway"):
        found[section] = without(snapshot, section)
    found["memory"] = without_memory(snapshot)
    found["wchan"] = of_samples(snapshot, _hidden)
    found["tcp_info"] = of_samples(snapshot, _without_tcp)
    last = snapshot.samples[-1]
    if isinstance(last.python, Python):
        uncounted = replace(last, python=replace(last.python, unreachable=None))
        found["references"] = replace(snapshot, samples=[*snapshot.samples[:-1], uncounted])
    found["memory and logs"] = without_logs(found["memory"])
    found["memory and sockets"] = without(found["memory"], "sockets")
    found["sockets and logs"] = without_logs(found["sockets"])
    return found


def without_logs(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, logs=GONE)


def without_memory(snapshot: Snapshot) -> Snapshot:
    """Neither what we read of it nor what py-spy did."""
    return replace(without(without(snapshot, "python"), "gateway"), witness=GONE)


def without(snapshot: Snapshot, section: str) -> Snapshot:
    return of_samples(snapshot, lambda sample: replace(sample, **{section: GONE}))


def of_samples(snapshot: Snapshot, change: Callable[[Sample], Sample]) -> Snapshot:
    return replace(snapshot, samples=[change(sample) for sample in snapshot.samples])


def _hidden(sample: Sample) -> Sample:
    """Where its threads sleep, and in which system call: not told to every user."""
    if isinstance(sample.process, Missing):
        return sample
    threads = [replace(thread, wchan=None, syscall=None, syscall_args=[]) for thread in sample.process.threads]
    return replace(sample, process=replace(sample.process, threads=threads))


def _without_tcp(sample: Sample) -> Sample:
    """A kernel or container without sock_diag: /proc/net/tcp alone."""
    if isinstance(sample.sockets, Missing):
        return sample
    rows = [replace(row, tcp=GONE if row.tcp is not None else None) for row in sample.sockets.rows]
    return replace(sample, sockets=replace(sample.sockets, rows=rows))


def assert_not_wrong(name: str, snapshot: Snapshot, must: set[str], may: set[str]) -> Diagnosis:
    """No other verdict. One that is lost is said to be unknown, with the reason; without memory nothing is clear.

    `must`: what is found with all evidence, any of them; empty where all is well. `may`: what may stand beside it.
    """
    closed = bool({"python", "memory"} & set(name.split()))
    may = may | {other for id in must for other in OUTSIDE.get(id, ()) if closed}
    diagnosis = diagnose(snapshot)
    text = f"without {name}: {words(diagnosis)}"
    assert grave(diagnosis) <= must | may, text
    lacking, found = {where for where, _ in diagnosis.missing}, {finding.id for finding in diagnosis.findings}
    if must:
        assert diagnosis.verdict in ("matched", "unknown"), text
        assert found & (must | may) or lacking & must, text
    if not grave(diagnosis) and closed:
        assert diagnosis.verdict == "unknown", text
    return diagnosis


def said(diagnosis: Diagnosis) -> str:
    """The verdict in a cell: what was found, or that nothing was, or that it cannot be said."""
    roots = [one for one in diagnosis.findings if one.severity is not Severity.INFO and one.consequence_of is None]
    marked = [f"{MARKS[one.severity]} {one.id}" for one in roots]
    return ", ".join(dict.fromkeys(marked)) or diagnosis.verdict


def cells(names: Sequence[str], answers: dict[str, Diagnosis]) -> list[str]:
    return [said(answers[name]) if name in answers else "" for name in names]
