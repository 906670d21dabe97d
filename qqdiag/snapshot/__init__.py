"""What was seen: frozen facts, raw numbers, flat tables by id; each section is there or is `Missing`.

A field is a number, a bool, a `Text` (model.py) or one of the structs below: never a bare `str`, so that redaction
knows each value by its type. Addresses are addresses in the target's memory and serve as ids: `Task.address` is what
`Level.address`, `Leaf.address` and `Timer.wakes` refer to. Times called `…_at` are CLOCK_MONOTONIC seconds of the
target's machine, the clock of `loop.time()`; durations are seconds.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from qqdiag.model import CodePath, FreeText, Missing, Word
from qqdiag.snapshot.code import RECEIVES, SENDS, Code, Frame, FrameLocals, Locals, PyThread, Variable
from qqdiag.snapshot.gateway import Adapter, Attribute, Gateway, KnownFault, Method, WebSocket
from qqdiag.snapshot.kernel import Growth, OsThread, Process, Socket, Sockets, TcpInfo
from qqdiag.snapshot.logs import (
    LogArgument,
    LogEvent,
    LogFile,
    LogLine,
    LogPart,
    Logs,
    LogTemplate,
    Monitor,
    MonitorTask,
    PlatformState,
    StateFile,
)
from qqdiag.snapshot.python import Deep, Orphan, Python, Witness, WitnessFrame, WitnessThread
from qqdiag.snapshot.settings import Package, Setting, SettingFile, Settings
from qqdiag.snapshot.tasks import Leaf, Level, Lock, Loop, Place, Task, Timer, Transport

__all__ = [
    "RECEIVES",
    "SENDS",
    "Adapter",
    "Attribute",
    "Code",
    "Deep",
    "Frame",
    "FrameLocals",
    "Gateway",
    "Growth",
    "KnownFault",
    "Leaf",
    "Level",
    "Locals",
    "Lock",
    "LogArgument",
    "LogEvent",
    "LogFile",
    "LogLine",
    "LogPart",
    "LogTemplate",
    "Logs",
    "Loop",
    "Method",
    "Monitor",
    "MonitorTask",
    "Orphan",
    "OsThread",
    "Package",
    "Place",
    "PlatformState",
    "Process",
    "PyThread",
    "Python",
    "Sample",
    "Setting",
    "SettingFile",
    "Settings",
    "Snapshot",
    "Socket",
    "Sockets",
    "SourceLine",
    "StateFile",
    "Task",
    "TcpInfo",
    "Timer",
    "Transport",
    "Variable",
    "WebSocket",
    "Witness",
    "WitnessFrame",
    "WitnessThread",
]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the target. `taken_at` is when its kernel part was read."""

    taken_at: float
    process: Process | Missing
    sockets: Sockets | Missing
    python: Python | Missing
    gateway: Gateway | Missing


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a source file of the target."""

    path: CodePath
    line: int
    text: FreeText  # without what surrounds it


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One or two samples, and what needs only one look."""

    SCHEMA: ClassVar[int] = 1

    schema: int = SCHEMA
    origin: Word  # live core capture
    pid: int
    wall_time: float  # seconds since 1970, at the last sample
    samples: list[Sample]  # one or two, oldest first
    witness: Witness | Missing
    logs: Logs | Missing | None  # None: no profile names any
    monitor: Monitor | Missing | None  # None: the target runs none
    deep: Deep | Missing | None = None  # None: not asked for
    sources: list[SourceLine] = []  # of what the tasks and threads of the last sample stand at, where asked for
    faults: list[KnownFault] | Missing | None = None  # of the adapters' sources; None: no source that is known
    pause: float = 0.0  # seconds, over all collectors and samples
    growth: Growth | Missing | None = None  # None: only one sample was taken
    settings: Settings | Missing | None = None  # None: not collected, as of a core
