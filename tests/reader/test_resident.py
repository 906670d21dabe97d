"""How large a process is does not matter: of its memory just those pages are read that its tasks lie in."""

from __future__ import annotations

import time
from typing import NamedTuple

import patients
from interpreters import Interpreter

from qqdiag.collect import tasks
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
from qqdiag.snapshot import Python

HEAP = 200  # megabytes


class Cost(NamedTuple):
    reads: int  # system calls of one walk
    pages: int  # of one walk
    copied: int  # pages of one collection, with the pause
    tasks: int


def cost(interpreter: Interpreter, megabytes: int) -> Cost:
    with patients.start(interpreter.path, "resident.py", str(megabytes)) as patient:
        with LiveMemory(patient.pid) as memory:
            read_python(attach(memory), 0.0)
            reads, pages = memory.reads, len(memory.pages)
            size = sum(region.end - region.start for region in memory.regions() if region.writable)
        read = tasks.collect(patient.pid, time.monotonic() + 60)
    assert isinstance(read.python, Python)
    assert size > megabytes << 20
    return Cost(reads, pages, len(read.pages), len(read.python.tasks))


def test_a_large_heap_costs_nothing(interpreter: Interpreter) -> None:
    if interpreter.version[1] not in (11, 14):
        return  # one that has measured numbers, and one that publishes them
    small, large = cost(interpreter, 0), cost(interpreter, HEAP)
    assert large.tasks == small.tasks == 301
    for one, other in zip(small, large, strict=True):
        assert other <= 1.25 * one, (small, large)
