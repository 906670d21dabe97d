"""Dumps of a process that never rests: how many are wrong, how many failed, what they cost it.

    python benchmarks/hot.py [--tasks 1000] [--dumps 200] [--python TARGET_PYTHON]

The target (`hot_target.py`) keeps a ledger of what each task awaits, which is read in the same moment as its tasks. A
dump is wrong where a task that does not run is not what the ledger says, or is not there; it failed where it was not
taken of one moment. Ends with 1 where any was wrong, or more than TOLERATED of them failed.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import argparse
import json
import os
import statistics
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from qqdiag.collect.tasks import glance
from qqdiag.cpython.known import Known
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.freeze import freeze
from qqdiag.memory.pause import Tracer
from qqdiag.memory.source import MemorySource
from qqdiag.snapshot import Python, Task

TARGET = Path(__file__).with_name("hot_target.py")
DEADLINE = 60.0  # seconds for one dump
TOLERATED = 0.1  # share of the dumps: a machine so busy that a thread cannot be stopped in time

Entry = tuple[int, ...]  # a task, its depth, its future


def walk(known: Known, ledger: int, tasks: int) -> Callable[[MemorySource], tuple[Python, list[Entry]]]:
    """The tasks, and the ledger of the same moment."""

    def read(memory: MemorySource) -> tuple[Python, list[Entry]]:
        entries = list(struct.iter_unpack("<3Q", memory.read(ledger, 24 * tasks)))
        return read_python(attach(memory, known), time.monotonic()), entries

    return read


def wrong(python: Python, ledger: list[Entry]) -> list[str]:
    """What is not as the ledger has it."""
    found = {task.address: task for task in python.tasks}
    running = {loop.current_task for loop in python.loops}
    told = [f"{doubt.template}" for doubt in python.doubts]
    for address, depth, future in ledger:
        task = found.get(address)
        if task is None:
            told.append(f"no task at {address:#x}")
        elif task.state.reveal() != "running" and address not in running and not fits(task, depth, future):
            told.append(f"{address:#x}: {[level.name.reveal() for level in task.chain]}, not {depth} nested")
    return told


def fits(task: Task, depth: int, future: int) -> bool:
    names = [level.name.reveal() for level in task.chain if level.kind.reveal() == "coroutine"]
    ends = task.leaf is not None and task.leaf.address == future
    return names == ["busy", *["nested"] * depth] and task.waiter == future and ends and not task.doubts


def processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(pid: int, ledger: int, tasks: int, dumps: int) -> int:
    known, pauses, failed, told = Known(), [], 0, list[str]()
    began, used = time.monotonic(), processor_time(pid)
    with Tracer(pid) as tracer:
        for _ in range(dumps):
            found = freeze(
                pid,
                walk(known, ledger, tasks),
                time.monotonic() + DEADLINE,
                tracer=tracer,
                habits=known.pages,
                glance=glance(known),
            )
            pauses.append(1e3 * found.pause)
            if found.method.reveal() == "frozen":
                told += wrong(*found.value)
            else:
                failed += 1
    took = time.monotonic() - began
    print(f"{dumps} dumps of {tasks:,} tasks in {took:.1f} s, {failed} not of one moment, {len(told)} wrong tasks")
    print(f"pause: {statistics.median(pauses):.2f} ms (median), {max(pauses):.2f} ms (longest)")
    print(f"the target had {(processor_time(pid) - used) / took:.0%} of a processor")
    for line in told[:10]:
        print(line)
    return int(bool(told) or failed > TOLERATED * dumps)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("--dumps", type=int, default=200)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the target")
    arguments = parser.parse_args()
    command = [arguments.python, str(TARGET), str(arguments.tasks)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            return measure(told["pid"], told["ledger"], arguments.tasks, arguments.dumps)
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
