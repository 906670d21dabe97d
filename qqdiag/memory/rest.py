"""Whether anything in a process runs: where nothing does, its memory stands still, and nobody has to stop it."""

from __future__ import annotations

import os

RESTING = (b"S", b"D", b"T")  # sleeps, sleeps in the kernel, stopped by a signal: proc(5)
SWITCHES = (b"voluntary_ctxt_switches:", b"nonvoluntary_ctxt_switches:")


def threads_at_rest(pid: int) -> dict[str, tuple[bytes, ...]] | None:
    """For each thread its state and how often it was switched out; None when one of them runs.

    A thread that sleeps runs no code before it is switched in, and is counted when it is switched out again (proc(5),
    voluntary_ctxt_switches): where this is the same twice, nothing in the process has run between.
    """
    try:
        threads = {tid: _activity(f"/proc/{pid}/task/{tid}/status") for tid in os.listdir(f"/proc/{pid}/task")}
    except OSError:
        return None
    return threads if all(facts and facts[0] in RESTING for facts in threads.values()) else None


def is_stopped(threads: dict[str, tuple[bytes, ...]]) -> bool:
    """Whether each of them is stopped by a signal."""
    return all(facts[0] == b"T" for facts in threads.values())


def _activity(path: str) -> tuple[bytes, ...]:
    with open(path, "rb") as file:
        lines = file.read().splitlines()
    return tuple(line.split()[1] for line in lines if line.startswith((b"State:", *SWITCHES)))
