"""Which log call of the gateway's own source wrote a line: its fixed text, its arguments by their kind, file and line.

The fixed text is code, which is no secret; what stands between is somebody's. The sources are found below the target's
own root by the paths of the code that it runs, and read by a child with limits (calls.py).
"""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

import msgspec

from qqdiag.collect.logs import calls as log_calls
from qqdiag.collect.logs.records import Record
from qqdiag.model import CodePath, FixedText, Id, Name, Word
from qqdiag.snapshot import LogArgument, LogTemplate

SOURCES_MAX = 12
SOURCE_BYTES_MAX = (1 << 21) - 1  # more is cut when it is read
TOTAL_BYTES_MAX = 4 << 20
TIMEOUT = 2.5  # seconds for one source; the largest of hermes-agent 0.14.0 (800 kB) takes 0.5
WHOLE_LIMIT = 2.0  # seconds after which no further source is begun
TEXT_MAX = 2000  # characters of a message that are looked at
FIXED_MIN = 5  # letters and digits that a call must fix to be told by them
ID_MAX = 200
SMALL = 10_000  # numbers from here on may be somebody's
_INTEGER, _FLOAT = re.compile(r"-?\d{1,18}"), re.compile(r"-?\d{1,7}\.\d{1,6}")
_WORDS = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type)) | {
    "None",
    "True",
    "False",
}

ReadSource = Callable[[str], bytes]  # nothing where there is none, or where it is not the target's to read


class Call(NamedTuple):
    """One log call of a source."""

    path: str
    line: int
    level: str  # "" for any
    fixed: list[str]  # one more than it has arguments
    kinds: list[str]

    @property
    def weight(self) -> int:
        return sum(map(len, self.fixed))


class Source(NamedTuple):
    """What one source says."""

    calls: list[Call]  # what fixes most first
    raised: frozenset[str]  # texts of exceptions that it raises, without arguments


class Templates:
    """The log calls of the gateway's sources; each is read when a line of its logger is met first."""

    def __init__(self, paths: Iterable[str], read: ReadSource, words: frozenset[str] = frozenset()) -> None:
        """`paths`: files of the code that the target runs. `words`: values that are no secret."""
        self.found: list[LogTemplate] = []  # those that were met: what `LogLine.template` counts
        self._places: dict[tuple[str, int], int] = {}
        self._paths, self._read, self._words = list(dict.fromkeys(paths)), read, words | _WORDS
        self._sources: dict[str, Source] = {}
        self._bytes, self._until = TOTAL_BYTES_MAX, time.monotonic() + WHOLE_LIMIT

    def match(self, logger: str | None, level: str | None, text: str) -> tuple[int, list[LogArgument]] | None:
        """The call that wrote it, by its place in `found`, and what it was given; None where none is known."""
        if not logger:
            return None
        source = self._sources.get(logger)
        if source is None:
            source = self._sources[logger] = self._source(logger)
        first = text[:TEXT_MAX].partition("\n")[0]
        for message in dict.fromkeys((first, text[:TEXT_MAX])):  # an argument may have many lines, and a traceback has
            for call in source.calls:
                if call.level in ("", level) and (values := _between(call, message)) is not None:
                    return self._place(logger, call), [self._argument(value, source) for value in values]
        return None

    def of(self, record: Record) -> int | None:
        """The place in `found` of the call that wrote a record."""
        found = self.match(record.logger, record.level, record.text)
        return found[0] if found else None

    def _place(self, logger: str, call: Call) -> int:
        place = self._places.get((call.path, call.line))
        if place is None:
            place = self._places[call.path, call.line] = len(self.found)
            fixed = [FixedText(part) for part in call.fixed]
            self.found.append(LogTemplate(logger=Name(logger), path=CodePath(call.path), line=call.line, fixed=fixed))
        return place

    def _argument(self, value: str, source: Source) -> LogArgument:
        number = value.strip()
        if (_INTEGER.fullmatch(number) and abs(int(number)) < SMALL) or _FLOAT.fullmatch(number):
            return LogArgument(number=float(number))
        if not value:
            return LogArgument()
        if value in self._words:
            return LogArgument(word=Word(value))
        return LogArgument(fixed=FixedText(value)) if value in source.raised else LogArgument(id=Id(value[:ID_MAX]))

    def _source(self, logger: str) -> Source:
        """That of the module that a logger is named after."""
        if len(self._sources) >= SOURCES_MAX or not re.fullmatch(r"\w{1,80}(\.\w{1,80}){0,12}", logger, re.ASCII):
            return Source([], frozenset())
        for path in _candidates(logger, self._paths):
            data = self._read(path)
            if data and len(data) <= min(SOURCE_BYTES_MAX, self._bytes) and time.monotonic() < self._until:
                self._bytes -= len(data)
                try:
                    return _parsed(path, data)
                except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError):
                    break  # its lines are then as any others
        return Source([], frozenset())


def _candidates(logger: str, paths: list[str]) -> list[str]:
    """Where the module may lie: beside what else of its package runs."""
    parts = logger.split(".")
    roots = [path[: path.rindex(f"/{parts[0]}/")] for path in paths if f"/{parts[0]}/" in path]
    roots += [path[: path.rindex("-packages/") + 9] for path in paths if "-packages/" in path]
    stems = [f"{root}/{'/'.join(parts)}" for root in dict.fromkeys(roots)][:8]
    return [path for stem in stems for path in (f"{stem}.py", f"{stem}/__init__.py")]


@lru_cache(SOURCES_MAX)  # who watches looks again and again
def _parsed(path: str, data: bytes) -> Source:
    """By a child with limits. OSError, TimeoutExpired, MsgspecError where it fails."""
    command = [sys.executable, "-I", "-S", log_calls.__file__]
    framed = len(data).to_bytes(4, "big") + data
    done = subprocess.run(command, input=framed, capture_output=True, timeout=TIMEOUT, check=False)
    rows = msgspec.json.decode(done.stdout, type=list[tuple[int, str, list[str]]])
    calls = [Call(path, line, level, parts[::2], parts[1::2]) for line, level, parts in sorted(rows)]
    known = [call for call in calls if call.level != log_calls.RAISED and _tells(call)]
    raised = frozenset(call.fixed[0] for call in calls if call.level == log_calls.RAISED and not call.kinds)
    return Source(sorted(known, key=lambda call: -call.weight), raised)


def _tells(call: Call) -> bool:
    return sum(character.isalnum() for part in call.fixed for character in part) >= FIXED_MIN


def _between(call: Call, text: str) -> list[str] | None:
    """What stands between the fixed parts, each taken at its first place; None where they do not fit."""
    fixed = call.fixed
    if not call.kinds:
        return [] if text == fixed[0] else None
    end = len(text) - len(fixed[-1])
    if not text.startswith(fixed[0]) or not text.endswith(fixed[-1]):
        return None
    found, begin = [], len(fixed[0])
    for part in fixed[1:-1]:
        at = text.find(part, begin, end)
        if at < 0:
            return None
        found.append(text[begin:at])
        begin = at + len(part)
    if end < begin:
        return None
    found.append(text[begin:end])
    return found if all(map(_is, call.kinds, found)) else None


def _is(kind: str, value: str) -> bool:
    number = value.strip()  # it may be filled up
    return kind == "s" or bool(_INTEGER.fullmatch(number) or (kind == "f" and _FLOAT.fullmatch(number)))
