"""Harmed memory that shows its pages says what it says word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harmed import Harmed, Recorded, attempt
from interpreters import Interpreter
from test_fuzz import harm, recorded

from qqdiag.memory.source import Kept, Region

__all__ = ["recorded"]
ROUNDS = 60


class Open:
    """The same pages, which lie open."""

    def __init__(self, memory: Harmed) -> None:
        self.kept: Mapping[int, bytes] = memory.pages
        self._memory = memory

    def read(self, address: int, size: int) -> bytes:
        return self._memory.read(address, size)

    def regions(self) -> Sequence[Region]:
        return self._memory.regions()


def test_harmed_pages_say_what_harmed_words_say(interpreter: Interpreter, recorded: Recorded) -> None:
    answered = 0
    for number in range(ROUNDS):
        memory = harm(recorded, number, f"open-{interpreter.name}-{number}")
        pages = Open(memory)
        assert isinstance(pages, Kept)
        found = attempt(pages, recorded.known.interpreter)
        assert found == attempt(memory, recorded.known.interpreter), number
        answered += found is not None
    assert answered > ROUNDS / 5
