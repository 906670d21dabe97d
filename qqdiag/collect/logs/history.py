"""What a log tells from before its end: its own earlier part and the logs that were put aside, from the newest on.

Where one of them cannot be read to its beginning, those before it are not read either: a hole between two events would
pass for a long session.
"""

from __future__ import annotations

import datetime
import os
from functools import partial
from typing import NamedTuple

from qqdiag.collect import failure, localtime, rooted
from qqdiag.collect.logs import rotated
from qqdiag.collect.logs.records import Grammar, event
from qqdiag.collect.logs.scan import Budget, Read, Scan
from qqdiag.collect.logs.templates import Templates
from qqdiag.model import Missing, Path
from qqdiag.snapshot import LogEvent, LogPart

EVENTS_KEPT = 1000
ZONE_BYTES = 1 << 14  # of the end of an older log, for its last time

Zone = datetime.tzinfo | None


class Clock:
    """Turns times as written into seconds ago; asked for the newest first, as a clock that was set back must be."""

    def __init__(self, zone: Zone, now: float) -> None:
        self.zone, self.now, self._following = zone, now, now

    def age(self, time: datetime.datetime | None) -> float | None:
        """None for what is no time, and where the zone is not known."""
        if time is None or self.zone is None:
            return None
        try:
            self._following = localtime.moment(time, self.zone, self._following)
        except (ValueError, OverflowError):
            return None
        return max(0.0, self.now - self._following)


class Old(NamedTuple):
    """A log that was put aside: open, or why it is not."""

    path: str
    packed: bool
    fd: int | Missing


class Past:
    """Gathers `events` and `parts`, both the newest first."""

    def __init__(
        self, grammar: Grammar, clock: Clock, budget: Budget, templates: Templates, events: list[LogEvent]
    ) -> None:
        """`events`: those that are known already. `clock`: was asked for them last."""
        self.events, self.parts = events, list[LogPart]()
        self._grammar, self._clock, self._budget, self._templates = grammar, clock, budget, templates
        self._holes = False

    def current(self, path: str, fd: int, end: int) -> None:
        """The log itself before what begins at `end`."""
        read = partial(rooted.read_at, fd)
        self._walk(path, os.fstat(fd), read, end)

    def old(self, log: Old, zone: Zone) -> None:
        """One that was put aside. `zone` is the one that its system names."""
        if isinstance(log.fd, Missing):
            self._add(LogPart(path=Path(log.path), size=0, age=0.0, packed=log.packed, lack=log.fd))
            return
        status = os.fstat(log.fd)
        if log.packed:
            # When it was packed says nothing of when it was written, so that its zone is that of the log after it.
            data, lack = (b"", None) if self._enough() else rotated.unpacked(log.fd)
            self._walk(log.path, status, lambda at, size: data[at : at + size], len(data), packed=True, lack=lack)
            return
        read = partial(rooted.read_at, log.fd)
        self._clock.zone = self._zone(read, status, zone)
        self._walk(log.path, status, read, status.st_size)

    def _walk(
        self,
        path: str,
        status: os.stat_result,
        read: Read,
        end: int,
        *,
        packed: bool = False,
        lack: Missing | None = None,
    ) -> None:
        before = len(self.events)
        scan = Scan(read, end, self._grammar.wanted, self._budget)
        try:
            if not self._enough():
                self._hear(scan)
        except OSError as error:
            lack = failure("logs", error)
        self._add(
            LogPart(
                path=Path(path),
                size=status.st_size,
                age=max(0.0, self._clock.now - status.st_mtime),
                packed=packed,
                events=len(self.events) - before,
                unread=scan.offset if end or not packed else status.st_size,
                lack=lack,
            )
        )

    def _hear(self, scan: Scan) -> None:
        for line in scan.lines():
            record = self._grammar.of_bytes(line)
            said = self._grammar.said(record) if record else None
            age = self._clock.age(said.time) if said else None
            if record and said and age is not None:
                self.events.append(event(said, age, self._templates.of(record)))
            if len(self.events) >= EVENTS_KEPT:
                return

    def _enough(self) -> bool:
        return self._holes or len(self.events) >= EVENTS_KEPT or self._budget.spent()

    def _add(self, part: LogPart) -> None:
        self.parts.append(part)
        self._holes = self._holes or part.unread > 0 or part.lack is not None

    def _zone(self, read: Read, status: os.stat_result, zone: Zone) -> Zone:
        """That of a plain log, whose last record was written when it was last changed."""
        start = max(0, status.st_size - ZONE_BYTES)
        records = self._grammar.records(read(start, ZONE_BYTES), start > 0)
        return zone_of(self._grammar.last_time(records), zone, status.st_mtime) or self._clock.zone


def zone_of(last: datetime.datetime | None, zone: Zone, changed_at: float) -> Zone:
    """By the name of its zone, unless the time of its last record contradicts it."""
    return localtime.agreed(zone, localtime.written(last, changed_at) if last else None, changed_at)
