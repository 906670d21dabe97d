"""All memory of a process, for `capture --full`: with it the heap can be walked again elsewhere and later."""

from __future__ import annotations

import time
from typing import NamedTuple

from msgspec.structs import replace

from qqdiag.collect import deep
from qqdiag.memory import whole
from qqdiag.memory.core import CoreMemory
from qqdiag.memory.freeze import freeze
from qqdiag.memory.pause import Tracer
from qqdiag.memory.source import MemorySource, Region
from qqdiag.model import Bytes, Missing, Say
from qqdiag.snapshot import Deep


class Whole(NamedTuple):
    """The pages, by address, of one moment; and what the walk over the heap in them found."""

    pages: dict[int, bytes]
    regions: list[Region]
    heap: Deep


def collect(pid: int, deadline: float, *, pause: bool = True, tracer: Tracer | None = None) -> Whole | Missing:
    """Missing where there is too much of it, or where it could not be had of one moment.

    Raises NotReadable, NoSuchTarget, NotPermitted and TargetGone.
    """
    runs = whole.of_process(pid)
    refused = _refused(whole.size(runs))
    if refused is not None:
        return refused

    def walk(memory: MemorySource) -> Deep:
        whole.read(memory, runs)
        return deep.walk(memory)

    best: Whole | None = None
    paused, began = 0.0, time.monotonic()
    for attempt in range(1, deep.ATTEMPTS + 1):
        frozen = freeze(pid, walk, deadline, pause=pause, agree=lambda one, two: two, tracer=tracer)
        paused += frozen.pause
        if frozen.method.reveal() in deep.ONE_MOMENT:
            best = Whole(frozen.pages, list(frozen.regions), replace(frozen.value, pause=paused))
        spent = (time.monotonic() - began) / attempt
        if (best and best.heap.complete) or time.monotonic() + 2 * spent > deadline:
            break
    return best or _torn(pid, frozen.because)


def _torn(pid: int, because: Say | None) -> Missing:
    why = because or Say("it may not be paused, and does not stand still by itself")
    return Missing(
        Say("the memory could not be had of one moment: {why}", why=why),
        Say("capture it with a pause, or when the machine does less: qqdiag capture {pid} --full -o FILE", pid=pid),
    )


def of_core(core: CoreMemory) -> Whole | Missing:
    """The same of a core."""
    runs = whole.of_core(core)
    refused = _refused(whole.size(runs))
    if refused is not None:
        return refused
    heap = deep.walk(core)
    return Whole(dict(core.pages) | whole.read(core, runs), list(core.regions()), heap)


def _refused(size: int) -> Missing | None:
    """Too much for a capture, or for this machine, which may have no more than its gateway needs."""
    hint = Say("keep a core instead: gcore -o core PID")
    own = Bytes(size)
    if size > whole.LIMIT:
        limit = Bytes(whole.LIMIT)
        return Missing(
            Say("it has {size} of memory of its own, and a capture keeps up to {limit}", size=own, limit=limit), hint
        )
    if size * whole.TAKES > whole.room():
        free = Bytes(whole.room())
        return Missing(
            Say("it has {size} of memory of its own, and this machine too little room: {free}", size=own, free=free),
            hint,
        )
    return None
