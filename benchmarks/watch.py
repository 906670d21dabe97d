"""What watching costs: `qqdiag watch` on a gateway that is well, at many times the rate that it has by itself.

    python benchmarks/watch.py [--seconds 600] [--faster 100] [--write]

Processor time a probe and a look, memory and disk over the run, and what the gateway notices: the lateness of its own
timer, with the watcher and without. The share of a processor at the usual rate follows from the cost of one of each.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import page

INTERVAL, EVERY = 5.0, 30.0  # seconds, as `qqdiag watch` has them if not told otherwise
GOAL = 0.1  # percent of a processor
# A gateway of 50 tasks that wait, and one that notes how late each of its ticks is.
TARGET = """
import asyncio, json, sys, time
async def waiter():
    await asyncio.Event().wait()
async def main():
    tasks = [asyncio.create_task(waiter()) for _ in range(50)]
    late, loop = [], asyncio.get_running_loop()
    def told():
        sys.stdin.readline()
        print(json.dumps(late), flush=True)
        late.clear()
    loop.add_reader(sys.stdin, told)
    print("ready", flush=True)
    while True:
        due = loop.time() + 0.01
        await asyncio.sleep(0.01)
        late.append(1e3 * (loop.time() - due))
asyncio.run(main())
"""


def cost(pid: int) -> tuple[float, float]:
    """Processor seconds of a process so far, with its children that ended; and its resident megabytes."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return sum(map(int, fields[11:15])) / 100, int(resident.split()[1]) / 1024


def lateness(target: subprocess.Popen[str]) -> list[float]:
    """Milliseconds by which each tick since the last call was late."""
    assert target.stdin is not None
    assert target.stdout is not None
    target.stdin.write("\n")
    target.stdin.flush()
    found: list[float] = json.loads(target.stdout.readline())
    return found


def watched(pid: int, folder: Path, interval: float, every: float, seconds: float) -> tuple[float, list[float]]:
    """Processor seconds of a watcher that runs for so long, its start not counted, and its memory over the time."""
    command = [sys.executable, "-P", "-m", "qqdiag", "watch", str(pid), "--folder", str(folder)]
    command += ["--interval", str(interval), "--every", str(every)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        watcher.stdout.readline(), watcher.stdout.readline()  # watching, and what the first look shows
        time.sleep(2)
        begun, _ = cost(watcher.pid)
        end, sizes = time.monotonic() + seconds, []
        while time.monotonic() < end:
            time.sleep(min(1.0, seconds / 10))
            sizes.append(cost(watcher.pid)[1])
        spent = cost(watcher.pid)[0] - begun
        watcher.kill()
    return spent, sizes


def late(values: list[float]) -> str:
    """Median and 99th percentile."""
    return f"{statistics.median(values):.2f}, {statistics.quantiles(values, n=100)[98]:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--faster", type=float, default=100.0)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    arguments = parser.parse_args()
    with (
        subprocess.Popen(
            [sys.executable, "-c", TARGET], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as target,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert target.stdout is not None
        assert target.stdout.readline() == "ready\n"
        quiet = min(60.0, arguments.seconds / 4)
        time.sleep(quiet)
        alone = lateness(target)
        rest = min(60.0, arguments.seconds / 4)
        probing, _ = watched(target.pid, Path(folder), INTERVAL / arguments.faster, 1e4, rest)
        lateness(target)
        both, sizes = watched(
            target.pid, Path(folder), INTERVAL / arguments.faster, EVERY / arguments.faster, arguments.seconds
        )
        beside = lateness(target)
        disk = sum(path.stat().st_size for path in Path(folder).iterdir())
        target.kill()
    probe = 1e3 * probing / (rest * arguments.faster / INTERVAL)
    look = 1e3 * (both - probing * arguments.seconds / rest) / (arguments.seconds * arguments.faster / EVERY)
    share = 100 * (probe / INTERVAL + look / EVERY) / 1e3
    met = "met" if share <= GOAL else "MISSED"
    lines = [
        f"{arguments.seconds:.0f} s at {arguments.faster:g} times the usual rate, 50 tasks.",
        "",
        "| | |",
        "|---|---|",
        f"| processor time of a probe | {probe:.2f} ms |",
        f"| processor time of a look | {look:.1f} ms |",
        f"| share of a processor at the usual rate | {share:.3f} % (goal {GOAL} %: {met}) |",
        f"| memory after 10 %, at the end | {sizes[len(sizes) // 10]:.0f}, {sizes[-1]:.0f} MB |",
        f"| written to disk | {disk} bytes |",
        f"| lateness of the gateway's ticks alone: median, 99 % | {late(alone)} |",
        f"| the same while it is watched | {late(beside)} |",
    ]
    print("\n".join(lines))
    if arguments.write:
        page.replace("watch", "\n".join(lines))


if __name__ == "__main__":
    main()
