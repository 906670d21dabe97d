"""Programs of these tests, each running as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Started(NamedTuple):
    """A program that is in its state, and the line in which it said so."""

    pid: int
    said: str


@contextmanager
def started(program: Path, *arguments: object, python: str = sys.executable) -> Iterator[Started]:
    """Runs it until the end of the context."""
    command = [python, str(program), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, "it ended before it was ready"
            yield Started(process.pid, line)
        finally:
            process.kill()
