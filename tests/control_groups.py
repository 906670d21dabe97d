"""Control groups that are named as systemd names them, with processes in them: no systemd is needed for that."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

# Of both versions of control groups, the first that is mounted.
MOUNTS = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup")]


@contextmanager
def group(*names: str) -> Iterator[Path]:
    """A control group, below one of the test's own."""
    base = next((path for path in MOUNTS if (path / "cgroup.procs").exists()), None)
    if base is None or os.geteuid() != 0:
        pytest.skip("let root make control groups: mount -t cgroup2 none /sys/fs/cgroup")
    made = list(itertools.accumulate([f"qqdiag-{os.getpid()}", *names], Path.joinpath, initial=base))[1:]
    made = [folder for folder in made if not folder.exists()]
    for folder in made:
        folder.mkdir()
    try:
        yield base.joinpath(f"qqdiag-{os.getpid()}", *names)
    finally:
        for folder in reversed(made):
            removed(folder)


def removed(folder: Path) -> None:
    """A group that a process has just left is busy for a moment."""
    for _ in range(1000):
        with suppress(OSError):
            return folder.rmdir()
        time.sleep(0.01)  # it has no event to wait for
    return folder.rmdir()


def moved(folder: Path, command: Sequence[str]) -> list[str]:
    """The command as one that begins in that group."""
    return ["sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', str(folder), *command]
