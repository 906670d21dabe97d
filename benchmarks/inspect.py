"""What an inspection costs: its time, and the pause as the target's own clock saw it, beside `py-spy dump`.

    python benchmarks/inspect.py [--tasks 50 1000] [--runs 10] [--python TARGET_PYTHON]

The target parks N tasks, each five coroutines deep, and then reads its clock without a break: a gap between two
readings is time that it did not run. On a machine with other work it has such gaps anyway, so the same is measured
with nothing looking at it ("alone").
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import argparse
import json
import shutil
import statistics
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qqdiag.snapshot import Python

SPIN = 6.0  # seconds that the target's clock runs while its memory is read again and again
TARGET = """
import asyncio, json, sys, time
async def wait(event, depth):
    await (wait(event, depth - 1) if depth else event.wait())
def gaps(seconds):
    clock, found = time.monotonic, []
    last = clock()
    end = last + seconds
    while last < end:
        now = clock()
        if now - last > 30e-6:
            found.append((last, now))
        last = now
    return found
async def main():
    event = asyncio.Event()
    tasks = [asyncio.create_task(wait(event, 3)) for _ in range(int(sys.argv[1]))]
    await asyncio.sleep(0.1)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(gaps(float(line))), flush=True)
asyncio.run(main())
"""
GOALS = {
    "inspect --interval 0, wall s": {50: 0.6},
    "attach to decoded, ms": {50: 15.0, 1000: 50.0},
    "pause, ms": {50: 1.0, 1000: 1.0},
}

Row = dict[str, float]


class Target:
    """The program that is looked at."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def watched(self, seconds: float, work: Callable[[], object]) -> list[tuple[float, float]]:
        """The gaps of its clock while `work` is done and until the seconds are over, in CLOCK_MONOTONIC seconds."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        time.sleep(0.05)
        work()
        return [(start, end) for start, end in json.loads(self.process.stdout.readline())]


@contextmanager
def target(python: str, tasks: int) -> Iterator[Target]:
    command = [python, "-c", TARGET, str(tasks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Target(process)
        finally:
            process.kill()


def wall(command: list[str], runs: int) -> float:
    """Median seconds from start to end, after one run that is not counted."""
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def largest_gap(found: Target, runs: int, work: Callable[[], object]) -> float:
    """Milliseconds: the median over the runs of the largest gap in one second."""
    largest = []
    for _ in range(runs):
        gaps = found.watched(1.0, work)
        largest.append(max((end - start for start, end in gaps), default=0.0) * 1e3)
    return statistics.median(largest)


def memory(found: Target, runs: int) -> Row:
    """Reading the memory by itself, without the rest of the command: once the target waits, once its clock runs."""
    from qqdiag.collect import tasks
    from qqdiag.memory.pause import Tracer
    from qqdiag.snapshot import Python

    times: list[float] = []
    reads: list[Python] = []

    def read() -> None:
        began = time.perf_counter()
        result = tasks.collect(found.pid, time.monotonic() + 10, tracer=tracer).python
        times.append((time.perf_counter() - began) * 1e3)
        assert isinstance(result, Python)
        reads.append(result)

    with Tracer(found.pid) as tracer:
        for _ in range(3 * runs):
            read()
        waiting = times[:]

        def several() -> None:
            end = time.monotonic() + SPIN - 1.0
            time.sleep(0.3)  # until the scheduler has given the target a processor of its own
            while time.monotonic() < end:
                read()
                time.sleep(0.02)

        gaps = found.watched(SPIN, several)
    running = reads[len(waiting) :]
    seen = [gap_around(python, gaps) for python in running]
    told = sorted(python.pause * 1e3 for python in running)
    return {
        "attach to decoded, ms": statistics.median(waiting),
        "attach to decoded, its clock runs, ms": statistics.median(times[len(waiting) :]),
        "not frozen, of all": sum(python.method.reveal() != "frozen" for python in running) / len(running),
        "pause of one that waits, ms": max(python.pause * 1e3 for python in reads[: len(waiting)]),
        "pause, ms": statistics.median(told),
        "pause, the longest, ms": told[-1],
        "pause by the target's clock, ms": statistics.median(seen),
        "pause by its clock, the longest, ms": max(seen),
    }


def gap_around(python: Python, gaps: list[tuple[float, float]]) -> float:
    """Milliseconds: the longest gap of the target's clock in the moment of a reading's copy."""
    until = python.taken_at + python.pause + 0.001
    return max((end - start for start, end in gaps if start < until and end > python.taken_at), default=0.0) * 1e3


def measure(python: str, tasks: int, runs: int) -> Row:
    scripts = Path(sysconfig.get_path("scripts"))
    qqdiag, spy = scripts / "qqdiag", shutil.which("py-spy", path=str(scripts)) or shutil.which("py-spy")
    with target(python, tasks) as found:
        inspect = [str(qqdiag), "inspect", str(found.pid)]
        dump = [str(spy), "dump", "--pid", str(found.pid)]
        return {
            "py-spy dump, wall s": wall(dump, runs),
            "inspect --interval 0, wall s": wall([*inspect, "--interval", "0", "--json"], runs),
            "inspect, wall s": wall([*inspect, "--json"], max(runs // 3, 1)),
            **memory(found, runs),
            "largest gap in 1 s, alone, ms": largest_gap(found, runs, lambda: None),
            "largest gap in 1 s, py-spy dump, ms": largest_gap(found, runs, lambda: quiet(dump)),
            "largest gap in 1 s, inspect, ms": largest_gap(found, runs, lambda: quiet([*inspect, "--interval", "0"])),
        }


def quiet(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)


def shown(name: str, tasks: int, value: float, reference: float | None) -> str:
    goal = GOALS.get(name, {}).get(tasks)
    notes = [f"{value / reference:.1f} x py-spy"] if reference else []
    if goal is not None:
        notes.append(f"goal {goal:g}: {'met' if value <= goal else 'MISSED'}")
    return f"{value:10.3f}  {', '.join(notes)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", default=[50, 1000])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the target")
    arguments = parser.parse_args()
    for tasks in arguments.tasks:
        row = measure(arguments.python, tasks, arguments.runs)
        print(f"\n{tasks} tasks, target {arguments.python}")
        for name, value in row.items():
            spy = (
                "py-spy dump, wall s"
                if "wall" in name
                else "largest gap in 1 s, py-spy dump, ms"
                if "1 s" in name
                else ""
            )
            print(f"  {name:44}{shown(name, tasks, value, row[spy] if spy and spy != name else None)}")


if __name__ == "__main__":
    main()
