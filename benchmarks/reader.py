"""How long the reader takes from attach to decoded tasks, beside `py-spy dump` (threads only, a process of its own).

    python benchmarks/reader.py [PYTHON ...]

For each interpreter: 50 and 1,000 sleeping tasks of five nested coroutines. Imports are not counted; the least and
the median of RUNS readings, each with a fresh cache, the collector of garbage off as in a frozen reading.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import contextlib
import gc
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
from qqdiag.snapshot import Python

RUNS = 15
TASKS = (50, 1_000)
TARGET = """
import asyncio, sys

async def nested(depth):
    if depth > 1:
        await nested(depth - 1)
    else:
        await asyncio.sleep(3600)

async def main():
    tasks = [asyncio.create_task(nested(5)) for _ in range(int(sys.argv[1]))]
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.gather(*tasks)

asyncio.run(main())
"""


@contextlib.contextmanager
def target(python: str, tasks: int) -> Iterator[int]:
    with subprocess.Popen([python, "-c", TARGET, str(tasks)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


def once(pid: int) -> Python:
    with LiveMemory(pid) as memory:
        return read_python(attach(memory), time.monotonic())


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """(least, median) of RUNS calls, in milliseconds."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - started))
    return min(times), statistics.median(times)


def main() -> None:
    py_spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    gc.disable()
    for python in sys.argv[1:] or [sys.executable]:
        for tasks in TASKS:
            with target(python, tasks) as pid:
                found = once(pid)
                least, median = timed(lambda pid=pid: once(pid))  # type: ignore[misc]
                version = ".".join(map(str, found.version))
                print(f"{version:8} {len(found.tasks):6} tasks: {least:7.1f} ms least {median:7.1f} ms median", end="")
                if py_spy:
                    command = [py_spy, "dump", "--nonblocking", "--pid", str(pid)]
                    spied = timed(lambda command=command: subprocess.run(command, capture_output=True, check=True))  # type: ignore[misc]
                    print(f"   py-spy dump {spied[0]:7.1f} ms least {spied[1]:7.1f} ms median", end="")
                print()
                gc.collect()


if __name__ == "__main__":
    main()
