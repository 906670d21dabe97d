"""The walk over the whole heap, apart from the samples: it reads every object, and so pauses a busy target longer."""

from __future__ import annotations

import time

from msgspec.structs import replace

from qqdiag.cpython import orphans
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.freeze import freeze
from qqdiag.memory.pause import Tracer
from qqdiag.memory.source import MemorySource
from qqdiag.model import Missing, Say
from qqdiag.snapshot import Deep

ONE_MOMENT = frozenset({"asleep", "stopped", "frozen"})  # methods whose reading is of one moment


def collect(pid: int, deadline: float, *, pause: bool = True, tracer: Tracer | None = None) -> Deep | Missing:
    """What no registry has. Missing where the heap could not be had of one moment: then counts prove nothing.

    Raises NotReadable, NoSuchTarget, NotPermitted and TargetGone.
    """
    frozen = freeze(pid, walk, deadline, pause=pause, agree=lambda one, two: two, tracer=tracer)
    if frozen.method.reveal() not in ONE_MOMENT:
        return Missing(
            Say("the heap changed while it was read"),
            Say("inspect it with a pause, or when it does less: qqdiag inspect --deep {pid}", pid=pid),
        )
    return replace(frozen.value, pause=frozen.pause)


def walk(memory: MemorySource) -> Deep:
    """The walk, over whatever holds the memory."""
    runtime = attach(memory)
    return orphans.read(runtime, read_python(runtime, time.monotonic()))
