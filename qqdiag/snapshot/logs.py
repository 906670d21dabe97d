"""What the gateway says of itself: logs, state file, aiomonitor."""

from __future__ import annotations

import msgspec

from qqdiag.model import CodePath, FreeText, Missing, Name, Path, TaskName, Word


class LogEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A log line that the profile knows."""

    event: Word  # connected ready resumed closed reconnecting reconnect-failed gave-up …
    age: float  # seconds before the snapshot, by the wall clock
    level: Word
    numbers: list[float] = []  # close code, delay, attempt: in the order of the profile's phrase
    line: int | None = None


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A log line as written."""

    age: float | None
    level: Word | None
    logger: Name | None
    text: FreeText


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    name: Word  # the profile's word: agent, gateway, errors
    path: Path
    size: int
    age: float  # since its last write
    last: list[LogLine] = []
    events: list[LogEvent] = []


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
