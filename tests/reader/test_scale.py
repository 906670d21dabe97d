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
    return python, read_gateway(runtime, python, profiles())


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
