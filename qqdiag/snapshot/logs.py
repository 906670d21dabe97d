"""What the gateway says of itself: logs, state file, aiomonitor."""

from __future__ import annotations

import msgspec

from qqdiag.model import CodePath, FixedText, FreeText, Id, Missing, Name, Path, TaskName, Word


class LogTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A log call in the gateway's own source."""

    logger: Name
    path: CodePath
    line: int
    fixed: list[FixedText]  # one more than it has arguments: what stands before, between and behind them


class LogArgument(msgspec.Struct, frozen=True, kw_only=True):
    """What a log call was given: one of these."""

    number: float | None = None
    word: Word | None = None  # of a closed list: a state of the profile, a built-in exception
    fixed: FixedText | None = None  # a text that stands in the same source: of an exception that it raises
    id: Id | None = None  # anything else


class LogEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A log line that the profile knows."""

    event: Word  # connected ready resumed closed reconnecting reconnect-failed gave-up …
    age: float  # seconds before the snapshot, by the wall clock
    level: Word
    numbers: list[float] = []  # close code, delay, attempt: in the order of the profile's phrase
    line: int | None = None
    template: int | None = None  # which of `Logs.templates` wrote it


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A log line as written."""

    age: float | None
    level: Word | None
    logger: Name | None
    text: FreeText
    template: int | None = None  # which of `Logs.templates` wrote it; None: not known
    arguments: list[LogArgument] = []
    exception: Name | None = None  # the type that a traceback in it ends with


class LogPart(msgspec.Struct, frozen=True, kw_only=True):
    """A log that was put aside, or the part of the current one before its end."""

    path: Path
    size: int  # bytes, as it lies on the disk
    age: float  # seconds since its last change
    packed: bool = False  # by gzip
    events: int = 0  # that were found in it
    unread: int = 0  # bytes of it that were not looked at: the oldest of a plain file, all of a packed one
    lack: Missing | None = None  # why it was not read, or not to its end


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    name: Word  # the profile's word: agent, gateway, errors; or journal
    path: Path
    size: int
    age: float  # since its last write
    last: list[LogLine] = []
    events: list[LogEvent] = []  # oldest first, those of the older parts among them
    older: list[LogPart] = []  # newest first; the first one is the file itself


class PlatformState(msgspec.Struct, frozen=True, kw_only=True):
    name: Word
    state: Word
    error: Word | None
    age: float | None


class StateFile(msgspec.Struct, frozen=True, kw_only=True, tag="state"):
    """The gateway's own status file: what it last said of itself, which is not what is."""

    path: Path
    age: float
    pid: int | None
    start_ticks: int | None
    gateway_state: Word | None
    platforms: list[PlatformState] = []


class Logs(msgspec.Struct, frozen=True, kw_only=True, tag="logs"):
    profile: Word
    files: list[LogFile] = []
    missing: list[Missing] = []  # files that are there and were not read
    state: StateFile | Missing | None = None
    templates: list[LogTemplate] = []  # the log calls that wrote the lines
    process_age: float | None = None  # seconds, at the moment before which the ages are; None: not known


class MonitorTask(msgspec.Struct, frozen=True, kw_only=True):
    task: int  # id() in the target: an address
    name: TaskName
    state: Word
    coroutine: Name
    since: float | None  # seconds since it was created
    created_at: FreeText | None = None  # as written by the monitor
    created_path: CodePath | None = None  # the same, taken apart
    created_line: int | None = None


class Monitor(msgspec.Struct, frozen=True, kw_only=True, tag="monitor"):
    """An aiomonitor that the gateway runs."""

    version: Word
    terminal_port: int | None
    web_port: int
    console_port: int | None
    tasks: list[MonitorTask] = []
