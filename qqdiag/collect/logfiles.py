"""The end of one log file: records with their age, and the events that the profile's phrases make of them.

A log is text by anybody: a line may be cut, endless, binary, or end in the middle; a record may have many lines.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from typing import NamedTuple

from qqdiag.collect import proc, rooted
from qqdiag.model import FreeText, Name, Path, Word
from qqdiag.profiles import Phrase, Profile
from qqdiag.snapshot import LogEvent, LogFile, LogLine

TAIL_BYTES = 1 << 18
LINES_KEPT = 200
EVENTS_KEPT = 500
LINE_CHARACTERS_MAX = 2000
RECORD_LINES_MAX = 50
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Record(NamedTuple):
    """One record; time, level and logger are None for lines that belong to none."""

    time: float | None  # seconds since 1970
    level: str | None
    logger: str | None
    text: str
    line: int  # counted from the start of the tail
    whole: bool = True  # False: its line has no end yet


def read(fd: int, word: str, path: str, profile: Profile, zone: datetime.tzinfo, now: float) -> LogFile:
    """The file open at `fd`. `now` is the wall clock's."""
    status = os.fstat(fd)
    start = max(0, status.st_size - TAIL_BYTES)
    data = rooted.read_at(fd, start, TAIL_BYTES)
    records = _records(data, start > 0, profile, zone)
    return LogFile(
        name=Word(word),
        path=Path(path),
        size=status.st_size,
        age=max(0.0, now - status.st_mtime),
        last=[_line(record, now) for record in records[-LINES_KEPT:]],
        events=events(records, profile, now)[-EVENTS_KEPT:],
    )


def _records(data: bytes, cut: bool, profile: Profile, zone: datetime.tzinfo) -> list[Record]:
    """`cut`: the data begins within a line, which is left out."""
    pattern = re.compile(profile.line)
    lines = proc.text(data).split("\n")
    unfinished = lines.pop()
    found: list[Record] = []
    for number, line in enumerate(lines[1:] if cut else lines, 1):
        _add(found, line, number, pattern, profile.time_format, zone)
    if unfinished:
        _add(found, unfinished, len(lines) + 1, pattern, profile.time_format, zone)
        found[-1] = found[-1]._replace(whole=False)
    return found


def _add(
    found: list[Record], line: str, number: int, pattern: re.Pattern[str], form: str, zone: datetime.tzinfo
) -> None:
    """A new record, or one more line of the last."""
    line = line.rstrip("\r")[:LINE_CHARACTERS_MAX]
    if head := pattern.match(line):
        level = head["level"] if head["level"] in LEVELS else None
        found.append(Record(_time(head["time"], form, zone), level, head["logger"], head["message"], number))
    elif not found or found[-1].time is None:
        found.append(Record(None, None, None, line, number))
    elif found[-1].text.count("\n") < RECORD_LINES_MAX:
        found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")


def _time(text: str, form: str, zone: datetime.tzinfo) -> float | None:
    try:
        return datetime.datetime.strptime(text, form).replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None


def events(records: list[Record], profile: Profile, now: float) -> list[LogEvent]:
    """The records that a phrase knows, oldest first. A line without an end is none yet: its numbers may be cut."""
    phrases = [(phrase, re.compile(phrase.pattern)) for phrase in profile.phrases]
    return [
        LogEvent(
            event=Word(phrase.event),
            age=max(0.0, now - record.time),
            level=Word(record.level or "UNKNOWN"),
            numbers=_numbers(found),
            line=record.line,
        )
        for record in records
        if record.time is not None and record.whole
        for phrase, found in _first(record, phrases)
    ]


def _first(record: Record, phrases: list[tuple[Phrase, re.Pattern[str]]]) -> list[tuple[Phrase, re.Match[str]]]:
    """The first phrase that knows it, as a list of one or none."""
    for phrase, pattern in phrases:
        if (record.logger or "").startswith(phrase.logger) and (found := pattern.search(record.text)):
            return [(phrase, found)]
    return []


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


def _line(record: Record, now: float) -> LogLine:
    return LogLine(
        age=None if record.time is None else max(0.0, now - record.time),
        level=Word(record.level) if record.level else None,
        logger=Name(record.logger) if record.logger else None,
        text=FreeText(record.text),
    )
