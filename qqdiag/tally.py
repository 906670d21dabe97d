"""Many captures and reports in one folder, summed up: which failure, where, how often, from when to when.

A capture is diagnosed anew and reduced to its public report first; where a capture has its report beside it (`watch`
writes both) the report is read alone. Whatever the files hold, of their texts only ids and names of code are shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from qqdiag import capture
from qqdiag.diagnose import diagnose
from qqdiag.errors import QqdiagError, UsageError
from qqdiag.model import Moment, Name, Say, Word
from qqdiag.publish import page

FILES_MAX = 10_000
REPORT_MAX = 64 << 20  # bytes


class Level(msgspec.Struct):
    name: str
    code: int | None = None
    line: int | None = None


class Task(msgspec.Struct):
    address: int
    chain: list[Level] = []


class Python(msgspec.Struct):
    tasks: list[Task] = []


class Sample(msgspec.Struct):
    python: Python | None = None


class Snapshot(msgspec.Struct):
    wall_time: float
    samples: list[Sample] = []


class Finding(msgspec.Struct):
    id: str
    severity: str
    fingerprint: str
    tasks: list[int] = []


class Report(msgspec.Struct):
    """What is needed of the document of `report --format json` (redact/schema.py has all of it)."""

    verdict: str
    findings: list[Finding]
    snapshot: Snapshot


class Row(NamedTuple):
    """One failure at one place. Times in seconds since 1970."""

    failure: Word
    severity: Word
    where: Say
    times: int
    first: Moment
    last: Moment


class Tally(NamedTuple):
    rows: list[Row]  # the most frequent first
    read: int  # files
    unread: int  # that are neither, or damaged


def tally(folder: Path, progress: Callable[[str], None]) -> Tally:
    """What the captures and reports in a folder say. UsageError where it has none."""
    reports, unread = list[Report](), 0
    for path in _files(folder):
        progress("reading")
        try:
            reports.append(_report(path))
        except (QqdiagError, OSError, msgspec.MsgspecError, RecursionError):
            unread += 1
    if not reports:
        raise UsageError(
            Say("the folder holds no capture and no report that can be read (others: {count})", count=unread),
            Say("give the folder of `qqdiag watch`, or of files made by: qqdiag report PID --format json"),
        )
    return Tally(_rows(reports), len(reports), unread)


def _files(folder: Path) -> list[Path]:
    """Reports, and captures that have none beside them; below this folder too, as a fleet's lie a folder a host."""
    reports = _named(folder, "*.json")
    told = {path.with_suffix("") for path in reports}
    captures = [path for path in _named(folder, "*.qqd") if path.with_suffix("") not in told]
    found = reports + captures
    if len(found) > FILES_MAX:
        raise UsageError(
            Say("the folder holds {count} files, more than {most}", count=len(found), most=FILES_MAX),
            Say("give one of the folders in it"),
        )
    return found


def _named(folder: Path, pattern: str) -> list[Path]:
    """Regular files alone: the read of a pipe would not end."""
    return sorted(path for path in folder.rglob(pattern) if os.path.isfile(path))


def _report(path: Path) -> Report:
    if path.suffix == ".qqd":
        snapshot = capture.open(path)
        return msgspec.json.decode(page(snapshot, diagnose(snapshot), "json"), type=Report)
    if path.stat().st_size > REPORT_MAX:
        raise msgspec.ValidationError("too large")
    return msgspec.json.decode(path.read_bytes(), type=Report)


def _rows(reports: list[Report]) -> list[Row]:
    """A row a fingerprint, of the first finding of each report; those without a finding have their verdict."""
    found: dict[str, list[Report]] = {}
    for report in reports:
        found.setdefault(report.findings[0].fingerprint if report.findings else report.verdict, []).append(report)
    return sorted(map(_row, found.values()), key=lambda row: (-row.times, row.first, row.failure.reveal()))


def _row(reports: list[Report]) -> Row:
    last = max(reports, key=lambda report: report.snapshot.wall_time)
    first = min(report.snapshot.wall_time for report in reports)
    finding = last.findings[0] if last.findings else None
    return Row(
        failure=Word(finding.id if finding else last.verdict),
        severity=Word(finding.severity) if finding else Word("info"),
        where=_where(last.snapshot, finding.tasks) if finding else Say("-"),
        times=len(reports),
        first=Moment(first),
        last=Moment(last.snapshot.wall_time),
    )


def _where(snapshot: Snapshot, tasks: list[int]) -> Say:
    """The innermost line of code of the first task that the finding names."""
    python = snapshot.samples[-1].python if snapshot.samples else None
    for task in python.tasks if python and tasks else []:
        levels = [level for level in task.chain if level.line is not None]
        if task.address == tasks[0] and levels:
            return Say("{name}, line {line}", name=Name(levels[-1].name), line=levels[-1].line or 0)
    return Say("-")
