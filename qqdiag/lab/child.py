"""A process of the lab, seen from its owner: JSON lines in both directions, each with a deadline."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from qqdiag.errors import QqdiagError
from qqdiag.model import Say, Seconds, Word

SOURCES = Path(__file__).parents[2]  # the folder that holds the package
ANSWER = 20.0  # seconds that a process may take for a line


@dataclass(eq=False)
class Child:
    """A running process of the lab."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    buffer: bytes = b""
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, value: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, seconds: float = ANSWER) -> dict[str, Any]:
        """The next line.

        :raises QqdiagError: when the process ended, or said nothing within `seconds`
        """
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise self._failed(Say("A process of the lab said nothing for {time}.", time=Seconds(seconds)))
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                raise self._failed(Say("A process of the lab ended."))
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        value: dict[str, Any] = json.loads(line)
        return value

    def ask(self, value: dict[str, Any]) -> dict[str, Any]:
        self.tell(value)
        return self.hear()

    def said(self) -> str:
        """The end of what it wrote to stderr."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-4000:]

    def _failed(self, message: Say) -> QqdiagError:
        hint = Say(
            "Its interpreter needs aiohttp: python -m pip install aiohttp. Or the machine is too busy: try again."
        )
        failure = QqdiagError(message, hint)
        failure.add_note(self.said())
        return failure


@contextlib.contextmanager
def child(
    module: str, bound: float, python: str = sys.executable, sources: Path = SOURCES, before: tuple[str, ...] = ()
) -> Iterator[Child]:
    """Run `module` in `python`, with the package in `sources`; it is killed at the end, or after `bound` seconds.

    :param before: words of a command that runs it, such as `unshare`
    """
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment["PYTHONPATH"] = os.pathsep.join([str(sources), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                [*before, python, "-P", "-m", module, str(bound), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                bufsize=0,
            )
        except FileNotFoundError as error:
            message = Say("There is no program {program}.", program=Word([*before, python][0]))
            raise QqdiagError(message, Say("Give the path of a Python that has aiohttp.")) from error
        with process:
            try:
                yield Child(process, errors)
            finally:
                process.kill()
