"""What a check of the doctor answers, and the process that it is tried on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from qqdiag.model import Say, Word

WITHIN = 5.0  # seconds for the orphan to start, and for a copy of it

# Prints the pid of an orphan and ends; the orphan lives as long as its stdin.
ORPHAN = """
import os, sys
if pid := os.fork():
    print(pid, flush=True)
    os._exit(0)
os.close(1)
sys.stdin.read()
"""


class Check(NamedTuple):
    """One thing that was tried: whether it works, what was found, and where it does not, the price and a way out."""

    what: Word
    works: bool
    found: Say
    costs: Say | None = None
    hint: Say | None = None


@contextmanager
def orphan() -> Iterator[int]:
    """A process of this user that is no child of this one. Ends with the context."""
    read, write = os.pipe()
    try:
        command = [sys.executable, "-I", "-S", "-c", ORPHAN]
        done = subprocess.run(command, stdin=read, stdout=subprocess.PIPE, timeout=WITHIN, check=True)
        yield int(done.stdout)
    finally:
        os.close(read)
        os.close(write)
