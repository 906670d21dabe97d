"""The command that the user gave: run after the evidence is kept, bounded, and not again before its time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress

from qqdiag.watch import systemd

SLICE = 5.0  # seconds, after which our own manager is told that we still wait
OFTEN = 3600.0  # seconds: no back-off is longer


class Backoff:
    """When the command may run again: after twice the time with each run, after the first again when all was well."""

    def __init__(self, first: float) -> None:
        self._first = first
        self._pause = first
        self._until = 0.0  # CLOCK_MONOTONIC seconds

    def left(self) -> float:
        """Seconds until it may run."""
        return max(0.0, self._until - time.monotonic())

    def ran(self) -> None:
        self._until = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, OFTEN)

    def well(self) -> None:
        """The gateway was seen well: once the pause has passed too, the next failure is a new one."""
        if not self.left():
            self._pause = self._first


def run(command: str, environment: Mapping[str, str], limit: float) -> int | None:
    """The exit code of a shell command; None when it did not end within `limit` seconds and was killed with all that
    it had started. What it prints goes nowhere: a gateway that it starts may print for ever."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    end = time.monotonic() + limit
    while (left := end - time.monotonic()) > 0:
        systemd.tell("WATCHDOG=1")
        with suppress(subprocess.TimeoutExpired):
            return process.wait(min(left, SLICE))
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return None
