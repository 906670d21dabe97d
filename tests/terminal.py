"""A real terminal (tmux) in which a command asks and is answered."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0  # seconds
SIZE = ("-x", "200", "-y", "200")


@contextmanager
def terminal(command: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Runs shell text in `folder`; "ended with CODE" is on the screen after it. Gives what the other functions need."""
    tmux = ("tmux", "-f", "/dev/null", "-S", str(folder / "tmux"))
    shell = f"sh -c {shlex.quote(f'{command}; echo ended with $?; exec cat')}"
    subprocess.run([*tmux, "new-session", "-d", *SIZE, "-c", str(folder), shell], check=True)
    try:
        yield tmux
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def until(tmux: tuple[str, ...], text: str, times: int = 1) -> str:
    """The screen, once it shows a text so many times."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        screen = subprocess.run([*tmux, "capture-pane", "-p", "-J"], capture_output=True, text=True).stdout
        if screen.count(text) >= times:
            return screen
        time.sleep(0.1)
    raise AssertionError(screen)


def answer(tmux: tuple[str, ...], question: str, times: int, given: str) -> None:
    """Type an answer once the question was asked so many times."""
    until(tmux, question, times)
    subprocess.run([*tmux, "send-keys", given, "Enter"], check=True)
