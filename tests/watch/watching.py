"""Watchers and what they watch: a gateway under a supervisor, and the events of `qqdiag watch` as they come."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

HANGING = Path(__file__).with_name("hanging.py")
PATIENCE = 60.0  # seconds, after which a watcher without the awaited event is ended
QUICK = ("--interval", "0.2", "--every", "0.5", "--confirm", "2", "--degraded")
OLD = QUICK[:-1]  # a loop that stands is a hang after 5 s


@contextmanager
def gateway(flag: Path, hangs: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A gateway that a supervisor starts again when it ends, as systemd would; its pids come on stdout."""
    if hangs:
        flag.touch()
    again = 'while :; do "$@"; sleep 0.1; done'
    command = ["sh", "-c", again, "sh", sys.executable, str(HANGING), str(flag)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as supervisor:
        try:
            yield supervisor
        finally:
            os.killpg(supervisor.pid, signal.SIGKILL)


def next_pid(supervisor: subprocess.Popen[str]) -> int:
    assert supervisor.stdout is not None
    return int(supervisor.stdout.readline())


class Watcher:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, object]] = []

    def until(self, name: str) -> dict[str, object]:
        """The next event of that name. What comes before it is kept in `events`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            self.events.append(event)
            if event["event"] == name:
                return event
        raise AssertionError(f"no event {name}: {self.names()}")

    def names(self) -> list[object]:
        return [event["event"] for event in self.events]


@contextmanager
def watcher(
    *arguments: str,
    before: Sequence[str] = (),
    patience: float = PATIENCE,
    errors: Path | None = None,
    **environment: str,
) -> Iterator[Watcher]:
    """
    :param before: words of a command that runs it, such as `nsenter`
    :param errors: where its stderr goes; None: ours
    """
    command = [*before, sys.executable, "-m", "qqdiag", "watch", *arguments]
    environ = {**os.environ, **environment}
    with ExitStack() as stack:
        stderr = stack.enter_context(errors.open("w")) if errors else None
        process = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environ)
        )
        overdue = threading.Timer(patience, process.kill)
        overdue.start()
        try:
            yield Watcher(process)
        finally:
            overdue.cancel()
            process.kill()
