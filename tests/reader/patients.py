"""Starts the programs that the reader's tests read, and ends them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
from qqdiag.snapshot import Python

HERE = Path(__file__).parent
START = 60.0  # seconds for a program to say its first line


@dataclass
class Patient:
    """A running program, and the line of JSON that it said of itself."""

    process: subprocess.Popen[str]
    pid: int
    truth: dict[str, Any]

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextlib.contextmanager
def start(
    python: Path | str,
    program: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    before: Callable[[], None] | None = None,
) -> Iterator[Patient]:
    """Run `program` (a file beside this one) and wait for its first line, which is JSON. `folder`: where it works,
    `before`: what the child does first."""
    command = [str(python), "-W", "ignore", str(HERE / program), *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
        preexec_fn=before,
    )
    watchdog = threading.Timer(START, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{program} ended with {process.wait()} before it said anything"
        watchdog.cancel()
        truth = json.loads(line)
        yield Patient(process, truth["pid"], truth)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def read(pid: int) -> Python:
    """What the reader says of a process that does not move."""
    with LiveMemory(pid) as memory:
        return read_python(attach(memory), 0.0)


def read_until(pid: int, settled: Callable[[Python], bool]) -> Python:
    """The first reading of a process that still moves in which `settled` holds."""
    deadline = time.monotonic() + START
    while True:
        python = read(pid)
        if settled(python):
            return python
        assert time.monotonic() < deadline, "it never settled"
