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

ATTEMPTS = 3  # the collector may be at work in the moment of a pause: its lists are no lists then
ONE_MOMENT = frozenset({"asleep", "stopped", "frozen"})  # methods whose reading is of one moment


def collect(pid: int, deadline: float, *, pause: bool = True, tracer: Tracer | None = None) -> Deep | Missing:
    """What no registry has. Missing where the heap could not be had of one moment: then counts prove nothing.

    Raises NotReadable, NoSuchTarget, NotPermitted and TargetGone.
    """
    best: Deep | Missing = Missing(
        Say("the heap changed while it was read"),
        Say("inspect it with a pause, or when it does less: qqdiag inspect --deep {pid}", pid=pid),
    )
    paused, began = 0.0, time.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        frozen = freeze(pid, walk, deadline, pause=pause, agree=lambda one, two: two, tracer=tracer)
        paused += frozen.pause
        if frozen.method.reveal() in ONE_MOMENT:
            best = replace(frozen.value, pause=paused)
        spent = (time.monotonic() - began) / attempt
        if (isinstance(best, Deep) and best.complete) or time.monotonic() + 2 * spent > deadline:
            break
    return best


def walk(memory: MemorySource) -> Deep:
    """The walk, over whatever holds the memory."""
    runtime = attach(memory)
    return orphans.read(runtime, read_python(runtime, time.monotonic()))
