"""A look that costs next to nothing: what /proc says in a third of a millisecond, with no memory read and no pause.

It cannot tell a failure. It tells when a whole look is worth its cost before it is due.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from qqdiag.collect import proc
from qqdiag.collect.syscalls import BY_MACHINE
from qqdiag.model import Word
from qqdiag.waits.kernel_threads import SELECTOR_CALLS

BUSY = 0.8  # share of the time between two probes
STOPPED, DISK, PROCESSOR, CALL = map(Word, ("stopped", "disk", "processor", "call"))


class Probe(NamedTuple):
    """One process at one moment."""

    at: float  # CLOCK_MONOTONIC seconds
    state: str  # R S D T t Z, proc(5)
    busy: float  # seconds in which the thread of its loop ran, or waited for a processor
    calls: tuple[str, ...]  # by loop thread: its line in /proc/PID/task/TID/syscall, "" where it may not be seen


def probe(pid: int, loop_threads: Sequence[int] = ()) -> Probe:
    """A probe of a process. OSError when it is gone."""
    state = proc.stat_fields(proc.read(f"/proc/{pid}/stat"))[1][0]
    threads = loop_threads or [pid]
    busy = max([_busy(pid, thread) for thread in threads])
    return Probe(time.monotonic(), state, busy, tuple([_call(pid, thread) for thread in loop_threads]))


def suspicion(before: Probe, now: Probe) -> Word | None:
    """What makes a whole look worth its cost; None when nothing does."""
    if now.state in "Tt":
        return STOPPED
    if before.state == now.state == "D":
        return DISK
    if now.at > before.at and (now.busy - before.busy) / (now.at - before.at) > BUSY:
        return PROCESSOR
    # The same call with the same arguments at the same stack, twice: it did not come back to its selector.
    stuck = set(before.calls) & set(now.calls)
    return CALL if any(call and call != "running" and _name(call) not in SELECTOR_CALLS for call in stuck) else None


def _busy(pid: int, thread: int) -> float:
    """/proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst): ns running, ns waiting to run, turns.

    Both, because on a busy machine who spins does not get a whole processor.
    """
    try:
        running, waiting, _ = proc.read(f"/proc/{pid}/task/{thread}/schedstat").split()
    except (OSError, ValueError):
        return 0.0
    return (int(running) + int(waiting)) / 1e9


def _call(pid: int, thread: int) -> str:
    try:
        return proc.text(proc.read(f"/proc/{pid}/task/{thread}/syscall")).strip()
    except OSError:
        return ""


def _name(call: str) -> str:
    number = call.partition(" ")[0]
    return BY_MACHINE.get(os.uname().machine, {}).get(int(number), "") if number.lstrip("-").isdigit() else ""
