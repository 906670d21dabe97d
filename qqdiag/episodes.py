"""How a gateway's connection went, by the events of its log: each loss, its cause and what followed; the cycle of it.

The words are those of a profile's phrases: `closed`, `error`, `connected`, `ready` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median, quantiles

import msgspec

from qqdiag.model import Missing, Word
from qqdiag.snapshot import LogEvent, LogFile, Logs

HEALTHY = frozenset({"ready", "resumed"})  # an authenticated session
LOST = frozenset({"closed", "error"})  # the end of a connection
OPENED = HEALTHY | {"connected", "reconnected"}
STARTED = "started"  # the process has begun, or begun anew
ASKED = "server-reconnect"  # the platform asked for it
LAST = 12  # drops that are looked at: what the cycle is now
FEWEST = 3  # drops of which a period is made
SHOWN = 50  # episodes of a timeline


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that was lost, and what followed. Durations in seconds."""

    age: float  # since it was lost
    cause: Word  # the event
    code: int | None = None  # of the close frame; None: lost without one
    asked: bool = False  # the platform had asked for it (op 7)
    held: float | None = None  # how long it had been open; None: the log does not reach back so far
    attempts: int = 0  # announced until the next connection
    back: Word | None = None  # ready or resumed; None: no session came of it
    gap: float | None = None  # until then


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """The last drops of a connection, oldest first. Times in seconds."""

    ages: list[float]
    codes: list[int | None]  # None: lost without a code
    asked: int  # of them for which the platform had asked
    identified: int  # sessions made anew meanwhile, which a platform counts
    period: float  # between two drops, the median
    lower: float  # a quarter of the periods is shorter
    upper: float  # a quarter is longer
    shortest: float
    longest: float
    held: float | None  # the longest that a connection was open

    @property
    def without_code(self) -> int:
        return sum(code is None for code in self.codes)


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What one log tells of the connection."""

    log: Word  # which one: the profile's word
    reaches: float  # seconds back to the oldest of its events
    unread: int  # bytes of the log and its predecessors that were not looked at
    episodes: list[Episode]  # oldest first
    cycle: Cycle | None  # None: fewer than three drops


def fullest(logs: Logs) -> LogFile | None:
    """The log that tells most: a gateway may write the same into several."""
    return max(logs.files, key=lambda file: len(file.events), default=None)


def events_of(logs: Logs | Missing | None) -> list[LogEvent]:
    """The events of the log that tells most, oldest first."""
    file = fullest(logs) if isinstance(logs, Logs) else None
    return sorted(file.events, key=lambda event: -event.age) if file else []


def timeline(logs: Logs) -> Timeline | None:
    """By the log that tells most; None where none tells anything."""
    file = fullest(logs)
    if file is None or not file.events:
        return None
    return Timeline(
        log=file.name,
        reaches=max(event.age for event in file.events),
        unread=sum(part.unread for part in file.older),
        episodes=episodes(file.events)[-SHOWN:],
        cycle=cycle(file.events),
    )


def last_episode(events: Sequence[LogEvent]) -> list[LogEvent]:
    """The events from the last authenticated session on, oldest first; all of them when there was none.

    One event alone (`ready` or `resumed`): since then the log knows of no trouble. Otherwise the last event is where
    the reconnect broke off, or where it is now: its age tells.
    """
    for index in range(len(events) - 1, -1, -1):
        if events[index].event.reveal() in HEALTHY:
            return list(events[index:])
    return list(events)


def episodes(events: Sequence[LogEvent]) -> list[Episode]:
    """Every loss, oldest first: a second line before the next connection is of the same."""
    found: list[Episode] = []
    opened_at: float | None = None
    opened, asked, over = True, False, True
    for event in sorted(events, key=lambda event: -event.age):
        word = event.event.reveal()
        if word in LOST and opened:
            held = opened_at - event.age if opened_at is not None else None
            found.append(Episode(age=event.age, cause=event.event, code=_code(event), asked=asked, held=held))
            opened, asked, over = False, False, False
        elif word == STARTED:  # what another process left open stays so
            opened, asked, over, opened_at = True, False, True, None
        elif word in OPENED:
            opened_at = opened_at if opened and opened_at is not None else event.age
            opened = True
        asked = asked or (word == ASKED and opened)
        if not over:
            found[-1] = _gone_on(found[-1], event, opened)
    return found


def _gone_on(episode: Episode, event: LogEvent, opened: bool) -> Episode:
    """The episode after one more event."""
    word = event.event.reveal()
    if word == "closed" and not opened and episode.code is None:
        return msgspec.structs.replace(episode, code=_code(event))
    if word == "reconnecting" and not opened:
        return msgspec.structs.replace(episode, attempts=episode.attempts + 1)
    if word in HEALTHY and episode.back is None:
        return msgspec.structs.replace(episode, back=event.event, gap=episode.age - event.age)
    return episode


def _code(event: LogEvent) -> int | None:
    return int(event.numbers[0]) if event.event.reveal() == "closed" and event.numbers else None


def cycle(events: Sequence[LogEvent]) -> Cycle | None:
    """None where fewer than three drops are known."""
    drops = episodes(events)[-LAST:]
    if len(drops) < FEWEST:
        return None
    ages = [drop.age for drop in drops]
    periods = [before - after for before, after in pairwise(ages)]
    lower, _, upper = quantiles(periods, n=4, method="inclusive")
    return Cycle(
        ages=ages,
        codes=[drop.code for drop in drops],
        asked=sum(drop.asked for drop in drops),
        identified=sum(event.event.reveal() == "identified" and event.age <= ages[0] for event in events),
        period=median(periods),
        lower=lower,
        upper=upper,
        shortest=min(periods),
        longest=max(periods),
        held=max((drop.held for drop in drops if drop.held is not None), default=None),
    )
