"""The end of one log file: records with their age, and the events that the profile's phrases make of them.

A log is text by anybody: a line may be cut, endless, binary, or end in the middle; a record may have many lines.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from qqdiag.collect import localtime, proc, rooted
from qqdiag.model import FreeText, Name, Path, Word
from qqdiag.profiles import Phrase, Profile
from qqdiag.snapshot import LogEvent, LogFile, LogLine

TAIL_BYTES = 1 << 18
LINES_KEPT = 200
EVENTS_KEPT = 500
LINE_CHARACTERS_MAX = 2000
RECORD_LINES_MAX = 50
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

Age = Callable[[str | None], float | None]  # of a time as written, in seconds


class Record(NamedTuple):
    """One record; time, level and logger are None for lines that belong to none."""

    time: str | None  # as written
    level: str | None
    logger: str | None
    text: str
    line: int  # counted from the start of the tail
    whole: bool = True  # False: its line has no end yet


def read(fd: int, word: str, path: str, profile: Profile, zone: datetime.tzinfo | None, now: float) -> LogFile:
    """The file open at `fd`. `zone` is the one that its system names, `now` the wall clock's time."""
    status = os.fstat(fd)
    start = max(0, status.st_size - TAIL_BYTES)
    data = rooted.read_at(fd, start, TAIL_BYTES)
    records = _records(data, start > 0, profile)
    age = partial(_age, profile.time_format, _zone(records, profile.time_format, zone, status.st_mtime), now)
    return LogFile(
        name=Word(word),
        path=Path(path),
        size=status.st_size,
        age=max(0.0, now - status.st_mtime),
        last=[_line(record, age) for record in records[-LINES_KEPT:]],
        events=_events(records, profile, age)[-EVENTS_KEPT:],
    )


def _records(data: bytes, cut: bool, profile: Profile) -> list[Record]:
    """`cut`: the data begins within a line, which is left out."""
    pattern = re.compile(profile.line)
    lines = proc.text(data).split("\n")
    unfinished = lines.pop()
    found: list[Record] = []
    for number, line in enumerate(lines[1:] if cut else lines, 1):
        _add(found, line, number, pattern)
    if unfinished:
        _add(found, unfinished, len(lines) + 1, pattern)
        found[-1] = found[-1]._replace(whole=False)
    return found


def _add(found: list[Record], line: str, number: int, pattern: re.Pattern[str]) -> None:
    """A new record, or one more line of the last."""
    line = line.rstrip("\r")[:LINE_CHARACTERS_MAX]
    if head := pattern.match(line):
        level = head["level"] if head["level"] in LEVELS else None
        found.append(Record(head["time"], level, head["logger"], head["message"], number))
    elif not found or found[-1].time is None:
        found.append(Record(None, None, None, line, number))
    elif found[-1].text.count("\n") < RECORD_LINES_MAX:
        found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")


def _zone(records: list[Record], form: str, zone: datetime.tzinfo | None, changed_at: float) -> datetime.tzinfo | None:
    last = next((time for record in reversed(records) if (time := _time(record.time, form))), None)
    return localtime.agreed(zone, localtime.written(last, changed_at) if last else None, changed_at)


def _time(written: str | None, form: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(written or "", form)
    except ValueError:
        return None


def _age(form: str, zone: datetime.tzinfo | None, now: float, written: str | None) -> float | None:
    """None for what is no time, and where the zone is not known."""
    time = _time(written, form)
    if time is None or zone is None:
        return None
    try:
        return max(0.0, now - time.replace(tzinfo=zone).timestamp())
    except (ValueError, OverflowError):
        return None


def _events(records: list[Record], profile: Profile, age: Age) -> list[LogEvent]:
    """The records that a phrase knows, oldest first. A line without an end is none yet: its numbers may be cut."""
    phrases = [(phrase, re.compile(phrase.pattern)) for phrase in profile.phrases]
    any_phrase = re.compile("|".join(f"(?:{phrase.pattern})" for phrase in profile.phrases))
    found = []
    for record in records:
        message = record.text.partition("\n")[0]
        if record.time is None or not record.whole or not any_phrase.search(message):
            continue
        known, then = _first(record.logger or "", message, phrases), age(record.time)
        if known and then is not None:
            found.append(_event(*known, record, then))
    return found


def _first(
    logger: str, message: str, phrases: list[tuple[Phrase, re.Pattern[str]]]
) -> tuple[Phrase, re.Match[str]] | None:
    for phrase, pattern in phrases:
        if logger.startswith(phrase.logger) and (found := pattern.search(message)):
            return phrase, found
    return None


def _event(phrase: Phrase, found: re.Match[str], record: Record, age: float) -> LogEvent:
    return LogEvent(
        event=Word(phrase.event),
        age=age,
        level=Word(record.level or "UNKNOWN"),
        numbers=_numbers(found),
        line=record.line,
    )


def _numbers(found: re.Match[str]) -> list[float]:
    numbers = []
    for group in found.groups():
        try:
            number = float(group)
        except (TypeError, ValueError):
            continue  # a group that took no part, or `None` as Python prints a close code
        if math.isfinite(number):
            numbers.append(number)
    return numbers


def _line(record: Record, age: Age) -> LogLine:
    return LogLine(
        age=age(record.time),
        level=Word(record.level) if record.level else None,
        logger=Name(record.logger) if record.logger else None,
        text=FreeText(record.text),
    )
