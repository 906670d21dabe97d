"""How a process's memory grows, and what is left of it: by readings within the interval, and by its log over hours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from qqdiag.snapshot import Growth, LogEvent, Logs, Process
from qqdiag.waits import View

STEADY = 0.8  # share of the readings that must lie above the one before
BURST = 0.5  # share of the growth that may come in one step: an answer that is made grows a process once
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Course:
    """Memory from one moment to another."""

    first: int  # bytes
    last: int
    seconds: float
    steps: int  # between two readings
    rises: int
    largest: int  # bytes of the largest rise

    @property
    def grown(self) -> int:
        return self.last - self.first

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.grown / self.seconds if self.seconds > 0 else 0.0

    @property
    def steady(self) -> bool:
        """Whether it rose nearly all the time, and not in one step."""
        return self.rises >= STEADY * self.steps and self.largest <= BURST * self.grown


def in_interval(view: View) -> Course | None:
    """Between the two samples; None with one, or where it is hidden."""
    growth = view.snapshot.growth
    if not isinstance(growth, Growth) or len(growth.private) < 3:
        return None
    return _course(growth.private, growth.step * (len(growth.private) - 1))


def in_log(view: View) -> Course | None:
    """By the log's own lines on memory since the process began; they tell of its peak, which never falls."""
    process, logs = view.last.process, view.logs
    if not isinstance(process, Process) or not isinstance(logs, Logs):
        return None
    told = max((_told(file.events) for file in logs.files), key=len, default=[])
    if len(told) < 3:
        return None
    return _course([int(event.numbers[0]) * MIB for event in told], told[0].age - told[-1].age)


def _told(events: list[LogEvent]) -> list[LogEvent]:
    """Oldest first."""
    told = [one for one in events if one.event.reveal() == "memory" and one.numbers]
    return sorted(told, key=lambda one: -one.age)


def _course(values: list[int], seconds: float) -> Course:
    rises = [after - before for before, after in pairwise(values)]
    return Course(
        first=values[0],
        last=values[-1],
        seconds=seconds,
        steps=len(rises),
        rises=sum(rise > 0 for rise in rises),
        largest=max(rises),
    )


def room(process: Process) -> int | None:
    """Bytes that it may still take, of its limit or of the machine; None: not told."""
    left = [process.memory_available] if process.memory_available is not None else []
    if process.memory_limit is not None:
        left.append(max(0, process.memory_limit - held(process)))
    return min(left, default=None)


def held(process: Process) -> int:
    """What counts for its limit: of a group's what is its own, as caches of files are given back when need be."""
    if process.memory_limit_own and process.memory_used is not None:
        return process.memory_used
    return process.private or 0
