"""The times of a target in another time namespace, by our clock.

There its CLOCK_MONOTONIC, which `loop.time()` is, runs ahead of ours or behind by a constant (time_namespaces(7)): a
timer that is due in a moment would seem to be hours late.
"""

from __future__ import annotations

from msgspec.structs import replace

from qqdiag.collect import proc
from qqdiag.model import Missing
from qqdiag.snapshot import Gateway, Leaf, Loop, Process, Python, Sample, Task

Seconds = float | None


def ahead(pid: int) -> float:
    """Seconds that the target's CLOCK_MONOTONIC is ahead of ours; 0 where the kernel has one for all."""
    return _offset(str(pid)) - _offset("self")


def _offset(pid: str) -> float:
    """Of /proc/PID/timens_offsets: `monotonic SECONDS NANOSECONDS`."""
    try:
        lines = proc.text(proc.read(f"/proc/{pid}/timens_offsets")).splitlines()
        words = next(line.split() for line in lines if line.startswith("monotonic"))
        return int(words[1]) + int(words[2]) / 1e9
    except (OSError, StopIteration, IndexError, ValueError):
        return 0.0


def by_ours(sample: Sample) -> Sample:
    """The sample with every time that was read from the target's memory as it is here."""
    process, python = sample.process, sample.python
    if not isinstance(process, Process) or not isinstance(python, Python) or not process.clock_ahead:
        return sample
    by = process.clock_ahead
    loops = [_loop(loop, by) for loop in python.loops]
    python = replace(python, loops=loops, tasks=[_task(task, by) for task in python.tasks])
    return replace(sample, python=python, gateway=_gateway(sample.gateway, by))


def _earlier(at: Seconds, by: float) -> Seconds:
    return None if at is None else at - by


def _loop(loop: Loop, by: float) -> Loop:
    return replace(loop, timers=[replace(timer, when_at=timer.when_at - by) for timer in loop.timers])


def _gateway(gateway: Gateway | Missing, by: float) -> Gateway | Missing:
    if isinstance(gateway, Missing):
        return gateway
    found = [replace(ws, ping_sent_at=_earlier(ws.ping_sent_at, by)) for ws in gateway.websockets]
    return replace(gateway, websockets=found)


def _task(task: Task, by: float) -> Task:
    return replace(task, created_at=_earlier(task.created_at, by), leaf=_leaf(task.leaf, by) if task.leaf else None)


def _leaf(leaf: Leaf, by: float) -> Leaf:
    return replace(leaf, deadline_at=_earlier(leaf.deadline_at, by), began_at=_earlier(leaf.began_at, by))
