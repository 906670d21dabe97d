"""One log: the end of its file as it stands, and the events that it and its predecessors tell from before that."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from qqdiag.collect import rooted
from qqdiag.collect.logs.history import EVENTS_KEPT, Clock, Old, Past, Zone, zone_of
from qqdiag.collect.logs.records import Grammar, Record, event
from qqdiag.collect.logs.scan import Budget
from qqdiag.collect.logs.templates import Templates
from qqdiag.model import FreeText, Name, Path, Word
from qqdiag.profiles import Profile
from qqdiag.snapshot import LogEvent, LogFile, LogLine

TAIL_BYTES = 1 << 18
LINES_KEPT = 200
_TRACEBACK = "\nTraceback (most recent call last):\n"
# The last line of a traceback (traceback.py): a type, and perhaps its text.
_RAISED = re.compile(
    r"^((?:[A-Za-z_]\w{0,60}\.){0,8}[A-Za-z_]\w{0,60}(?:Error|Exception|Interrupt|Exit|Timeout))(?::|$)", re.M | re.A
)


def read(
    fd: int,
    word: str,
    path: str,
    profile: Profile,
    zone: Zone,
    now: float,
    older: Sequence[Old] = (),
    budget: Budget | None = None,
    templates: Templates | None = None,
) -> LogFile:
    """The log open at `fd`, and what was put aside of it, newest first. `zone` is the one that its system names, `now`
    the wall clock's time."""
    status, grammar = os.fstat(fd), Grammar(profile)
    start = max(0, status.st_size - TAIL_BYTES)
    data = rooted.read_at(fd, start, TAIL_BYTES)
    records = grammar.records(data, start > 0)
    clock = Clock(zone_of(grammar.last_time(records), zone, status.st_mtime), now)
    templates = templates or Templates((), lambda path: b"")
    lines, events = _newest_first(records, grammar, clock, templates)
    past = Past(grammar, clock, budget or Budget(), templates, events[:EVENTS_KEPT])
    past.current(path, fd, start + data.find(b"\n") + 1 if start else 0)
    for one in older:
        past.old(one, zone)
    return LogFile(
        name=Word(word),
        path=Path(path),
        size=status.st_size,
        age=max(0.0, now - status.st_mtime),
        last=lines[::-1],
        events=past.events[::-1],
        older=past.parts,
    )


def _newest_first(
    records: list[Record], grammar: Grammar, clock: Clock, templates: Templates
) -> tuple[list[LogLine], list[LogEvent]]:
    """The last lines, and the records that a phrase knows."""
    lines: list[LogLine] = []
    events: list[LogEvent] = []
    for record in reversed(records):
        age = clock.age(grammar.time(record.time))
        if len(lines) < LINES_KEPT:
            lines.append(line_of(record, age, templates))
        said = grammar.said(record) if age is not None else None
        if said and age is not None:
            events.append(event(said, age, templates.of(record)))
    return lines, events


def line_of(record: Record, age: float | None, templates: Templates) -> LogLine:
    """As the snapshot has it."""
    template, arguments = templates.match(record.logger, record.level, record.text) or (None, [])
    raised = _RAISED.findall(record.text)
    return LogLine(
        age=age,
        level=Word(record.level) if record.level else None,
        logger=Name(record.logger) if record.logger else None,
        text=FreeText(record.text),
        template=template,
        arguments=arguments,
        exception=Name(raised[-1]) if raised and _TRACEBACK in record.text else None,
    )
