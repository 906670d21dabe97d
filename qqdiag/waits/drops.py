"""How often a connection is lost, by the events of the gateway's log: periods, their spread, the close codes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from qqdiag.episodes import HEALTHY
from qqdiag.snapshot import LogEvent, Logs
from qqdiag.waits import View

LOST = frozenset({"closed", "error"})  # words of a profile's phrases for the end of a connection
OPENED = HEALTHY | {"connected", "reconnected"}
LAST = 12  # drops that are looked at: what the cycle is now


@dataclass(frozen=True, slots=True)
class Cycle:
    """The last drops of a connection, oldest first."""

    ages: list[float]  # seconds ago
    codes: list[int | None]  # None: lost without a code
    identified: int  # sessions made anew meanwhile, which a platform counts
    period: float  # seconds between two drops, the median
    shortest: float
    longest: float

    @property
    def without_code(self) -> int:
        return sum(code is None for code in self.codes)


def cycle(view: View) -> Cycle | None:
    """None where fewer than three drops are known, or no log is."""
    logs = view.snapshot.logs
    events = max((file.events for file in logs.files), key=len, default=[]) if isinstance(logs, Logs) else []
    drops = _drops(sorted(events, key=lambda event: -event.age))[-LAST:]
    if len(drops) < 3:
        return None
    ages = [drop.age for drop in drops]
    gaps = [before - after for before, after in pairwise(ages)]
    return Cycle(
        ages=ages,
        codes=[int(drop.numbers[0]) if drop.event.reveal() == "closed" and drop.numbers else None for drop in drops],
        identified=sum(event.event.reveal() == "identified" and event.age <= ages[0] for event in events),
        period=median(gaps),
        shortest=min(gaps),
        longest=max(gaps),
    )


def _drops(events: list[LogEvent]) -> list[LogEvent]:
    """The first line of each loss: a second one before the next connection is of the same."""
    found, opened = [], True
    for event in events:
        word = event.event.reveal()
        if word in LOST and opened:
            found.append(event)
        opened = opened if word not in LOST | OPENED else word in OPENED
    return found
