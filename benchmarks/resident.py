"""What an inspection costs beside a heap: the same 1,000 tasks in a small process and in one of 2 GB of Python objects.

    python benchmarks/resident.py [--megabytes 0 2000] [--tasks 1000] [--runs 3] [--deep] [--python TARGET_PYTHON]

Half of the heap is lists, which the garbage collector keeps track of, half is bytes objects; all of it is touched.
CPU time and peak memory are those of the whole command `qqdiag inspect PID --interval 0 --json`, its system calls are
counted by strace where that is installed; the pages are those of one walk. None of it may grow with the heap.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TARGET = """
import asyncio, sys
async def nested(depth):
    await (nested(depth - 1) if depth > 1 else asyncio.sleep(3600))
async def main():
    tasks = [asyncio.create_task(nested(5)) for _ in range(int(sys.argv[1]))]
    half = int(sys.argv[2]) << 19
    heap = [[number] for number in range(half // 112)], [bytes(400) for _ in range(half // 448)]
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.gather(*tasks)
asyncio.run(main())
"""
WALK = """
import json, sys
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
with LiveMemory(int(sys.argv[1])) as memory:
    tasks = len(read_python(attach(memory), 0.0).tasks)
    print(json.dumps({"tasks": tasks, "pages": len(memory.pages), "reads": memory.reads}))
"""
Row = dict[str, float]


@contextmanager
def started(python: str, tasks: int, megabytes: int) -> Iterator[int]:
    command = [python, "-c", TARGET, str(tasks), str(megabytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


def resident(pid: int) -> float:
    """Megabytes."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def cost(command: Sequence[str]) -> Row:
    """CPU seconds and peak megabytes of a command, with its children's."""
    with Path(os.devnull).open("wb") as nothing:
        process = subprocess.Popen(command, stdout=nothing, stderr=nothing)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    return {"CPU, s": used.ru_utime + used.ru_stime, "peak memory, MB": used.ru_maxrss / 1024}


def system_calls(command: Sequence[str]) -> float | None:
    if shutil.which("strace") is None:
        return None
    with tempfile.NamedTemporaryFile("r") as counted:
        options = ["-f", "-c", "-U", "calls,name", "-o", counted.name]
        subprocess.run(["strace", *options, *command], capture_output=True, check=False)
        return float(next(line.split()[0] for line in counted if line.split()[-1:] == ["total"]))


def measure(arguments: argparse.Namespace, megabytes: int) -> Row:
    with started(arguments.python, arguments.tasks, megabytes) as pid:
        inspect = [sys.executable, "-m", "qqdiag", "inspect", str(pid), "--interval", "0", "--json"]
        inspect += ["--deep"] if arguments.deep else []
        found = [cost(inspect) for _ in range(arguments.runs)]
        walked = subprocess.run([sys.executable, "-c", WALK, str(pid)], stdout=subprocess.PIPE, check=True)
        row = {"resident, MB": resident(pid), **json.loads(walked.stdout)}
        row |= {name: statistics.median(one[name] for one in found) for name in found[0]}
        if (calls := system_calls(inspect)) is not None:
            row["system calls"] = calls
        return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[0, 2000])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--deep", action="store_true", help="walk the heap too")
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    rows = [measure(arguments, megabytes) for megabytes in arguments.megabytes]
    for name in rows[0]:
        print(
            f"{name:>18}" + "".join(f"{row[name]:>12,.2f}" if row[name] % 1 else f"{row[name]:>12,.0f}" for row in rows)
        )


if __name__ == "__main__":
    main()
