"""Many tasks at once are read by whole pages and by what is known of others: it must be what each one alone says."""

from __future__ import annotations

from collections.abc import Sequence

import patients
import pytest
from interpreters import Interpreter

from qqdiag.collect.gateway import read_gateway
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
from qqdiag.memory.source import Kept, MemorySource, Region
from qqdiag.profiles import profiles
from qqdiag.snapshot import Gateway, Python

CROWD = 1_500


class WordByWord:
    """A memory that shows no whole pages: all of it is read one word, object or string at a time."""

    def __init__(self, memory: MemorySource) -> None:
        self._memory = memory

    def read(self, address: int, size: int) -> bytes:
        return self._memory.read(address, size)

    def regions(self) -> Sequence[Region]:
        return self._memory.regions()


def both(memory: MemorySource) -> tuple[Python, Gateway]:
    runtime = attach(memory)
    python = read_python(runtime, 0.0)
    return read_gateway(runtime, python, profiles())


class Counting(LiveMemory):
    """Counts how often it is asked."""

    asked = 0

    def read(self, address: int, size: int) -> bytes:
        self.asked += 1
        return super().read(address, size)


def test_tasks_are_what_their_names_say(interpreter: Interpreter) -> None:
    """Read by whole pages, which asks for few words."""
    with patients.start(interpreter.path, "crowd.py", str(CROWD)) as patient, Counting(patient.pid) as memory:
        found = {task.address: task for task in read_python(attach(memory), 0.0).tasks}
        asked, memory.asked = memory.asked, 0
        read_python(attach(WordByWord(memory)), 0.0)
    assert asked < memory.asked / 2
    for name, address in patient.truth["tasks"].items():
        kind, depth, _ = name.split("-")
        task = found[address]
        names = [level.name.reveal() for level in task.chain if level.code is not None]
        assert task.name.reveal() == name
        if kind != "bounded":  # up to 3.11 wait_for awaits in a task of its own, with a timer on its future
            assert (task.leaf is not None and task.leaf.deadline_at is not None) == (kind in ("sleeps", "iterates"))
            assert names.count("sleeps") == (int(depth) + 1 if kind in ("sleeps", "iterates") else 0)
            assert names.count("waits") == (int(depth) + 1 if kind == "waits" else 0)
        assert names.count("ticks") == (kind == "iterates")
        assert task.leaf is not None
        assert task.leaf.address == task.waiter
    assert len(patient.truth["tasks"]) == CROWD * 4 // 5


@pytest.mark.parametrize("program", ["zoo.py", "waiting.py", "crowd.py"])
def test_pages_say_what_words_say(interpreter: Interpreter, program: str) -> None:
    with patients.start(interpreter.path, program, str(CROWD)) as patient, LiveMemory(patient.pid) as memory:
        words = WordByWord(memory)
        assert isinstance(memory, Kept)
        assert not isinstance(words, Kept)
        found, expected = both(memory), both(words)
    for one, two in zip(found[0].tasks, expected[0].tasks, strict=True):
        assert one == two
    assert found == expected
