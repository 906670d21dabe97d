"""CPython 3.14 for the benchmarks, as the tests find it: an own one, or Debian unstable's under another root."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import interpreters

# Under another root there is no /proc, which `python -m asyncio ps` reads: a private one, gone with the program.
WITH_PROC = 'mount -t proc proc "$0/proc" && exec "$@"'


def newest() -> interpreters.Interpreter | None:
    """CPython 3.14; None where there is none (then `cure()`)."""
    return interpreters.find("3.14")


def cure() -> str:
    return interpreters.CURE["3.14"]


def command(python: Path, program: Sequence[str]) -> list[str]:
    """The command that runs the program on that Python; its process is the interpreter."""
    if not under_root(python):
        return [str(python), *program]
    root = python.parent.parent
    unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", WITH_PROC, str(root)]
    return [*unshare, str(python), *program]


def beside(python: Path, pid: int, arguments: Sequence[str]) -> list[str]:
    """The command that runs the same Python next to the process `pid`, in its mount namespace and root."""
    if not under_root(python):
        return [str(python), *arguments]
    return ["nsenter", "--target", str(pid), "--mount", "--root", f"/usr/bin/{python.name}", *arguments]


def under_root(python: Path) -> bool:
    return python.parent.name == "launchers"


def run(command: Sequence[str], timeout: float = 60.0) -> str:
    """What it printed, errors too; a program that is not there says so."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    except OSError as error:
        return str(error)
    return done.stdout + done.stderr
