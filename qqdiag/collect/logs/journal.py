"""What systemd's journal has of the gateway, where its stdout or stderr leads there.

journalctl runs as a child that is killed at its deadline: a journal on a disk that hangs must not hold us up. Each of
its entries carries the time in UTC, so that no zone is asked for.
"""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess

import msgspec

from qqdiag import as_root
from qqdiag.collect.logs.history import EVENTS_KEPT
from qqdiag.collect.logs.logfile import line_of
from qqdiag.collect.logs.records import Grammar, Record, event
from qqdiag.collect.logs.templates import Templates
from qqdiag.model import Missing, Path, Say, Seconds, Word
from qqdiag.profiles import Profile
from qqdiag.snapshot import LogEvent, LogFile, LogLine

ENTRIES_MAX = 5000
LINES_KEPT = 200
TIMEOUT = 2.0  # seconds
# syslog(3); who logs may write anything in its place.
PRIORITIES = dict(
    zip("01234567", ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG"), strict=True)
)


class Entry(msgspec.Struct):
    """One entry, as `journalctl -o json` writes it. A text that is not UTF-8 is a list of bytes, a long one null."""

    at: str = msgspec.field(name="__REALTIME_TIMESTAMP")  # microseconds since 1970
    message: str | list[int] | None = msgspec.field(name="MESSAGE", default=None)
    priority: str = msgspec.field(name="PRIORITY", default="6")


def leads_there(pid: int, variables: dict[str, str]) -> bool:
    """Whether stdout or stderr is the stream that systemd connected: JOURNAL_STREAM, systemd.exec(5)."""
    for fd in (1, 2):
        try:
            status = os.stat(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if variables.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}":
            return True
    return False


def collect(pid: int, unit: str | None, profile: Profile, templates: Templates, now: float) -> LogFile | Missing:
    """The newest entries of its unit, or of its process where it has none. `now`: the wall clock's time."""
    program = shutil.which("journalctl")
    if program is None:
        return Missing(Say("its log goes to the journal, and there is no journalctl here"), as_root.inspect(pid))
    matches = [f"_SYSTEMD_UNIT={unit}", "+", f"_SYSTEMD_USER_UNIT={unit}"] if unit else [f"_PID={pid}"]
    options = ["--no-pager", "--quiet", "--output=json", f"--lines={ENTRIES_MAX}", "--output-fields=MESSAGE,PRIORITY"]
    try:
        done = subprocess.run(
            [program, *options, *matches], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return Missing(
            Say("journalctl did not end within {limit} and was killed", limit=Seconds(TIMEOUT)),
            Say("ask it by hand: sudo journalctl _PID={pid}", pid=pid),
        )
    entries = [entry for line in done.stdout.split(b"\n") if (entry := _entry(line))]
    if not entries:
        return Missing(Say("its log goes to the journal, which shows this user nothing of it"), as_root.inspect(pid))
    return _file(entries, len(done.stdout), Grammar(profile, profile.console), templates, now)


def _entry(line: bytes) -> Entry | None:
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return entry if entry.at.isascii() and entry.at.isdecimal() and len(entry.at) < 18 else None


def _file(entries: list[Entry], size: int, grammar: Grammar, templates: Templates, now: float) -> LogFile:
    """As the log that it is: each entry a record of one line."""
    lines: list[LogLine] = []
    events: list[LogEvent] = []
    for entry in reversed(entries):
        at = int(entry.at) / 1e6
        record, age = _record(entry, grammar), max(0.0, now - at)
        if len(lines) < LINES_KEPT:
            lines.append(line_of(record, age, templates))
        said = grammar.said(record, datetime.datetime.fromtimestamp(at, datetime.UTC))
        if said and len(events) < EVENTS_KEPT:
            events.append(event(said, age, templates.of(record)))
    last = lines[0].age if lines else None
    return LogFile(
        name=Word("journal"), path=Path("journal"), size=size, age=last or 0.0, last=lines[::-1], events=events[::-1]
    )


def _record(entry: Entry, grammar: Grammar) -> Record:
    text = _text(entry.message)
    return grammar.record(text) or Record(None, PRIORITIES.get(entry.priority), None, text, None)


def _text(message: str | list[int] | None) -> str:
    if isinstance(message, list):
        message = bytes(one & 255 for one in message).decode("utf-8", "backslashreplace")
    return message or ""
