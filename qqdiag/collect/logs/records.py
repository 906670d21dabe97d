"""Records of a log, and which of a profile's phrases each says.

A log is text by anybody: a line may be cut, endless, binary, or end in the middle; a record may have many lines.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import NamedTuple

from qqdiag.collect import proc
from qqdiag.model import Word
from qqdiag.profiles import Phrase, Profile
from qqdiag.snapshot import LogEvent

LINE_CHARACTERS_MAX = 2000
RECORD_LINES_MAX = 50
MESSAGE_MAX = 500  # characters in which a phrase is looked for: an expression may take their square
NUMBER_MAX = 2.0**53  # beyond it a float is no count; no line that its program wrote holds one
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Record(NamedTuple):
    """One record; time, level and logger are None for lines that belong to none."""

    time: str | None  # as written
    level: str | None
    logger: str | None
    text: str
    line: int | None  # counted from the start of what was read
    whole: bool = True  # False: its line has no end yet


class Said(NamedTuple):
    """A phrase that a record says, at a local time."""

    phrase: Phrase
    numbers: list[float]
    time: datetime.datetime
    level: str | None
    line: int | None


class Grammar:
    """A profile's line and phrases, compiled once."""

    def __init__(self, profile: Profile, lines: Sequence[str] = ()) -> None:
        """`lines`: other forms of a line than the one of its files."""
        self._lines = [re.compile(line) for line in lines or (profile.line,)]
        self._form = profile.time_format
        self._phrases = [(phrase, re.compile(phrase.pattern)) for phrase in profile.phrases]
        self._any = re.compile("|".join(f"(?:{phrase.pattern})" for phrase in profile.phrases))
        self.wanted = _loggers(profile)  # one of these their lines hold

    def records(self, data: bytes, cut: bool) -> list[Record]:
        """`cut`: the data begins within a line, which is left out."""
        lines = proc.text(data).split("\n")
        unfinished = lines.pop()
        found: list[Record] = []
        for number, line in enumerate(lines[1:] if cut else lines, 1):
            self._add(found, line, number)
        if unfinished:
            self._add(found, unfinished, len(lines) + 1)
            found[-1] = found[-1]._replace(whole=False)
        return found

    def _add(self, found: list[Record], line: str, number: int) -> None:
        """A new record, or one more line of the last."""
        line = line.rstrip("\r")[:LINE_CHARACTERS_MAX]
        if record := self.record(line, number):
            found.append(record)
        elif not found or found[-1].time is None:
            found.append(Record(None, None, None, line, number))
        elif found[-1].text.count("\n") < RECORD_LINES_MAX:
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")

    def of_bytes(self, line: bytes) -> Record | None:
        """As `record`, of a line as it is in the file."""
        return self.record(proc.text(line).rstrip("\r")[:LINE_CHARACTERS_MAX])

    def record(self, line: str, number: int | None = None) -> Record | None:
        """The record that the line begins; None where it goes on with another."""
        head = next((found for form in self._lines if (found := form.match(line))), None)
        if head is None:
            return None
        level = head["level"] if head["level"] in LEVELS else None
        return Record(head.groupdict().get("time"), level, head["logger"], head["message"], number)

    def time(self, written: str | None) -> datetime.datetime | None:
        """None for what is no time."""
        try:
            return datetime.datetime.strptime(written, self._form) if written else None
        except ValueError:
            return None

    def last_time(self, records: list[Record]) -> datetime.datetime | None:
        """Of the last record that has one."""
        return next((time for record in reversed(records) if (time := self.time(record.time))), None)

    def said(self, record: Record, time: datetime.datetime | None = None) -> Said | None:
        """The first phrase that the record says. None for a line without an end too: its numbers may be cut.

        `time`: the record's, where it does not say it itself.
        """
        message = record.text.partition("\n")[0][:MESSAGE_MAX]
        if not record.whole or not self._any.search(message):
            return None
        time = time or self.time(record.time)
        for phrase, pattern in self._phrases if time else ():
            if (record.logger or "").startswith(phrase.logger) and (found := pattern.search(message)) and time:
                return Said(phrase, _numbers(found), time, record.level, record.line)
        return None


def event(said: Said, age: float, template: int | None) -> LogEvent:
    """As the snapshot has it."""
    return LogEvent(
        event=Word(said.phrase.event),
        age=age,
        level=Word(said.level or "UNKNOWN"),
        numbers=said.numbers,
        line=said.line,
        template=template,
    )


def _loggers(profile: Profile) -> list[bytes]:
    """The loggers of the phrases, but for those that another one is the beginning of."""
    names = sorted({phrase.logger.encode() for phrase in profile.phrases})
    return [one for one in names if not any(one != other and one.startswith(other) for other in names)]


def _numbers(found: re.Match[str]) -> list[float]:
    numbers = []
    for group in found.groups():
        try:
            number = float(group)
        except (TypeError, ValueError):
            continue  # a group that took no part, or `None` as Python prints a close code
        if abs(number) <= NUMBER_MAX:
            numbers.append(number)
    return numbers
