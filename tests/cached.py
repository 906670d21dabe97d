"""The folder of what the tests make once and use again, and the lock under which it is made."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache() -> Path:
    """`QQDIAG_TEST_CACHE`, or a folder of the user's cache."""
    given = os.environ.get("QQDIAG_TEST_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = Path(given) if given else base / "qqdiag-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One maker at a time, over processes; the kernel lets go when a maker dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
