"""Which known faults an adapter's source has: beside the adapter, and beside the finding that such a fault explains."""

from __future__ import annotations

from collections.abc import Iterable

from qqdiag import versions
from qqdiag.finding import Finding
from qqdiag.model import Missing, Say, Word
from qqdiag.report.code import code_of
from qqdiag.report.document import Cell, Line, Mark
from qqdiag.snapshot import Adapter, Gateway, KnownFault, Python, Snapshot


def adapter_lines(snapshot: Snapshot, adapter: Adapter) -> list[Line[Cell]]:
    """What its source has and is free of; nothing where no source of it is known."""
    if isinstance(snapshot.faults, Missing):
        return [Line(Say("known faults: not looked for, {reason}", reason=snapshot.faults.reason), 1, Mark.DIM)]
    rows = [row for row in snapshot.faults or () if row.adapter == adapter.address]
    source = versions.known(adapter.profile.reveal(), adapter.platform.reveal())
    if not rows or source is None:
        return []
    lines: list[Line[Cell]] = [Line(_like(source, rows), 1)]
    lines += [Line(_has(source, row), 2, Mark.WARN) for row in rows if row.state == Word(versions.HAS)]
    for state, text in ((versions.FREE, Say("free of")), (versions.UNKNOWN, Say("not recognised, so it may have"))):
        ids = [row.fault for row in rows if row.state == Word(state)]
        lines += [Line(Say("{text} {ids}", text=text, ids=_list(ids)), 2, Mark.DIM)] if ids else []
    return lines


def finding_lines(snapshot: Snapshot, finding: Finding) -> list[Line[Cell]]:
    """What the source of the adapter that a finding speaks of has to do with it."""
    rows = _rows(snapshot, finding)
    found: list[Line[Cell]] = []
    for row in rows:
        source = versions.known(row.profile.reveal(), row.platform.reveal())
        if row.state == Word(versions.HAS) and source is not None:
            found.append(Line(Say("this adapter's source {has}", has=_has(source, row)), 1))
    if rows and all(row.state == Word(versions.FREE) for row in rows):
        found.append(Line(Say("this adapter's source is free of what is known to cause it"), 1, Mark.DIM))
    return found


def _rows(snapshot: Snapshot, finding: Finding) -> list[KnownFault]:
    """The faults of that failure, of the adapters that the finding's tasks belong to."""
    gateway = snapshot.samples[-1].gateway
    if isinstance(snapshot.faults, Missing) or not snapshot.faults or not isinstance(gateway, Gateway):
        return []
    own = {adapter.address for adapter in gateway.adapters if _is_of(snapshot, finding, adapter)}
    return [row for row in snapshot.faults if row.failure == Word(finding.id) and row.adapter in own]


def _is_of(snapshot: Snapshot, finding: Finding, adapter: Adapter) -> bool:
    """Whether one of its tasks is the adapter's listener or heartbeat, or stands in a file of the adapter's."""
    python, paths = snapshot.samples[-1].python, {method.path for method in adapter.methods}
    if not finding.tasks or {adapter.listener, adapter.heartbeat} & set(finding.tasks):
        return True
    if not isinstance(python, Python):
        return False
    levels = [level for task in python.tasks if task.address in finding.tasks for level in task.chain]
    return any((code := code_of(python, level)) is not None and code.path in paths for level in levels)


def _like(source: versions.Adapter, rows: Iterable[KnownFault]) -> Say:
    releases = versions.like(source, {row.fault.reveal(): row.state.reveal() for row in rows})
    if not releases:
        return Say("its source has the known faults of no release of {program}", program=Word(source.program))
    text = _list([Word(release) for release in releases])
    return Say("its source has the known faults of {program} {releases}", program=Word(source.program), releases=text)


def _has(source: versions.Adapter, row: KnownFault) -> Say:
    """`has spins (hot-loop), qqbot/adapter.py:659: reads again and again …; fixed in hermes-agent 0.17.0`"""
    title = next((fault.title for fault in source.faults if Word(fault.id) == row.fault), Say("no longer known"))
    text = Say("has {fault} ({failure})", fault=row.fault, failure=row.failure)
    if row.path is not None and row.line is not None:
        text = Say("{text}, {path}:{line}", text=text, path=row.path, line=row.line)
    text = Say("{text}: {title}", text=text, title=title)
    if row.fixed_in is None:
        return Say("{text}; in every release up to {release}", text=text, release=Word(list(source.releases)[-1]))
    return Say("{text}; fixed in {program} {release}", text=text, program=Word(source.program), release=row.fixed_in)


def _list(words: list[Word]) -> Say:
    text = Say("{word}", word=words[0])
    for word in words[1:]:
        text = Say("{text}, {word}", text=text, word=word)
    return text
