"""What a dump costs over the number of tasks, beside what else can tell of tasks or stacks: one run, side by side.

    python benchmarks/reader.py [--tasks 50 1000 10000 100000] [--newest 1000 20000] [--python TARGET_PYTHON] [--write]

The target (`reader_target.py`) runs on this Python, and at 1,000 and 20,000 tasks on CPython 3.14 (`newest.py`), which
alone has `python -m asyncio ps`. "dump" is from attach to decoded tasks in a process of its own, its imports not
counted, the median of a few with nothing remembered; once the target sleeps, once its loop runs without a break, and
then the pause is what the target stood still. "command" is from start to end of a whole program. Read the ratios:
the absolute figures are those of the machine, and of what else ran on it.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import argparse
import contextlib
import json
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import newest
import page

TARGET = Path(__file__).with_name("reader_target.py")
TASKS = (50, 1_000, 10_000, 100_000)
OF_NEWEST = (1_000, 20_000)
DEADLINE = 60.0  # seconds for one dump
GOALS = {("dump", 100_000): 2_000.0, ("pause", 50): 1.0, ("pause", 1_000): 1.0, ("pause", 100_000): 50.0}
# What `python -m asyncio ps` does, without the start of Python and without printing.
REMOTE = """
import sys, time
from _remote_debugging import RemoteUnwinder
times = []
for _ in range(int(sys.argv[2])):
    began = time.perf_counter()
    found = RemoteUnwinder(int(sys.argv[1])).get_all_awaited_by()
    times.append(1e3 * (time.perf_counter() - began))
print(sorted(times)[len(times) // 2])
"""

Row = dict[str, float | str]  # milliseconds, where nothing else is said


class Target:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def told(self, command: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextlib.contextmanager
def started(command: Sequence[str]) -> Iterator[Target]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Target(process)
        finally:
            process.kill()


def dump(pid: int, runs: int) -> Row:
    """In a process of its own, for the sake of its peak memory."""
    command = [sys.executable, "-P", __file__, "--dump", str(pid), "--runs", str(runs)]
    row: Row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return row


def dumped(pid: int, runs: int) -> Row:
    """What `dump` runs."""
    from qqdiag.collect import tasks
    from qqdiag.cpython.read import read_python
    from qqdiag.cpython.runtime import attach
    from qqdiag.memory.live import LiveMemory
    from qqdiag.memory.pause import Tracer
    from qqdiag.snapshot import Python

    times, pauses, found, pages = [], [], 0, 0
    methods: set[str] = set()
    with Tracer(pid) as tracer:
        time.sleep(0.1)  # until it is ready
        for _ in range(runs):
            began = time.perf_counter()
            read = tasks.collect(pid, time.monotonic() + DEADLINE, tracer=tracer)
            times.append(1e3 * (time.perf_counter() - began))
            assert isinstance(read.python, Python), read.python
            pauses.append(1e3 * read.pause)
            methods.add(read.python.method.reveal())
            found, pages = len(read.python.tasks), len(read.pages)
            del read
    peak = peak_memory()
    with LiveMemory(pid) as memory:
        read_python(attach(memory), time.monotonic())
        reads = memory.reads
    return {
        "dump": statistics.median(times),
        "pause": statistics.median(pauses),
        "method": ", ".join(sorted(methods)),
        "tasks": found,
        "system calls": reads,
        "pages": pages,
        "peak memory, MB": peak,
    }


def peak_memory() -> float:
    """Megabytes, of this process since its exec: getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def wall(command: Sequence[str], runs: int) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)


def measure(command: Sequence[str], runs: int) -> Row:
    with started(command) as target:
        resting = dump(target.pid, runs)
        own = statistics.median(float(target.told("walk")) for _ in range(runs))
        target.told("busy")
        busy = dump(target.pid, runs)
        target.told("rest")
        row = resting | {"busy dump": busy["dump"], "pause": busy["pause"], "method": busy["method"]}
        row["own walk"] = own
        py_spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
        if py_spy:
            row["py-spy command"] = wall([py_spy, "dump", "--pid", str(target.pid)], runs)
        return row


def against_newest(tasks: int, runs: int) -> Row:
    """Beside `python3.14 -m asyncio ps`, of the same process."""
    found = newest.newest()
    if found is None:
        return {}
    with started(newest.command(found.path, [str(TARGET), str(tasks)])) as target:
        asked = [sys.executable, "-P", "-m", "qqdiag", "inspect", str(target.pid), "--interval", "0", "--json"]
        remote = newest.beside(found.path, target.pid, ["-c", REMOTE, str(target.pid), str(runs)])
        theirs = newest.beside(found.path, target.pid, ["-m", "asyncio", "ps", str(target.pid)])
        assert newest.run(theirs).count("nested") >= tasks
        return dump(target.pid, runs) | {
            "asyncio reading": float(newest.run(remote)),
            "inspect command": wall(asked, 1),
            "asyncio ps command": wall(theirs, 1),
        }


def figure(value: float | str | None) -> str:
    if not isinstance(value, float):
        return "?" if value is None else value if isinstance(value, str) else f"{value:,}"
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"


def table(rows: dict[int, Row]) -> str:
    """Markdown: a line a number of tasks."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row if name not in ("tasks",)))
    lines = [f"| tasks | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for tasks, row in rows.items():
        lines.append(f"| {tasks:,} | {' | '.join(figure(row.get(name)) for name in names)} |")
    return "\n".join(lines)


def ratios(rows: dict[int, Row], ours: str, theirs: str) -> str:
    """`theirs / ours` a number of tasks: above 1, ours is faster."""
    told = [
        f"{float(row[theirs]) / float(row[ours]):.2f} at {tasks:,}"
        for tasks, row in rows.items()
        if ours in row and theirs in row
    ]
    return f"- {theirs} / {ours}: {', '.join(told) or 'not measured'}"


def goals(rows: dict[int, Row]) -> list[str]:
    return [
        f"- {name} at {tasks:,} tasks: {figure(rows[tasks][name])} ms, goal {goal:g}: "
        + ("met" if float(rows[tasks][name]) <= goal else "MISSED")
        for (name, tasks), goal in GOALS.items()
        if tasks in rows
    ]


def report(rows: dict[int, Row], newer: dict[int, Row]) -> str:
    parts = [f"Milliseconds; target on CPython {platform.python_version()}, {platform.machine()}.", "", table(rows), ""]
    parts += [ratios(rows, "dump", "own walk"), ratios(rows, "dump", "py-spy command"), *goals(rows)]
    if newer:
        parts += ["", "Target on CPython 3.14.", "", table(newer), ""]
        parts += [ratios(newer, "dump", "asyncio reading"), ratios(newer, "inspect command", "asyncio ps command")]
    else:
        parts += ["", f"Without CPython 3.14: {newest.cure()}"]
    return "\n".join(parts)


def picture(rows: dict[int, Row], newer: dict[int, Row]) -> str:
    wanted = {
        "dump, the target sleeps": (rows, "dump"),
        "pause, its loop runs": (rows, "pause"),
        "all_tasks() walk inside it": (rows, "own walk"),
        "py-spy dump (no tasks)": (rows, "py-spy command"),
        "dump of 3.14": (newer, "dump"),
        "asyncio's own reading of 3.14": (newer, "asyncio reading"),
    }
    curves = {
        name: [(float(tasks), float(row[key])) for tasks, row in source.items() if float(row.get(key, 0)) > 0]
        for name, (source, key) in wanted.items()
    }
    drawn = {name: points for name, points in curves.items() if points}
    return page.chart("Time and pause of a dump over the number of tasks", "tasks", "ms", drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", default=TASKS)
    parser.add_argument("--newest", type=int, nargs="*", default=OF_NEWEST, help="tasks of the target on CPython 3.14")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the target")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the tables into README.md, and write cost.svg")
    parser.add_argument("--dump", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.dump:
        print(json.dumps(dumped(arguments.dump, arguments.runs)))
        return
    rows: dict[int, Row] = {}
    for tasks in arguments.tasks:
        rows[tasks] = measure(
            [arguments.python, str(TARGET), str(tasks)], min(arguments.runs, 5 if tasks < 50_000 else 2)
        )
        print(f"{tasks:7,} tasks: {rows[tasks]}", flush=True)
    newer = {tasks: row for tasks in arguments.newest if (row := against_newest(tasks, arguments.runs))}
    print(report(rows, newer))
    if arguments.write:
        page.replace("reader", report(rows, newer))
        page.README.with_name("cost.svg").write_text(picture(rows, newer))


if __name__ == "__main__":
    main()
