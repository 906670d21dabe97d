"""Every field of what CPython publishes of itself, with other numbers in it: refused, or said, or without effect."""

from __future__ import annotations

import random
from collections import Counter

import harmed
import patients
import pytest
from harmed import EXTREMES, Harmed, Recorded, attempt
from interpreters import Interpreter
from test_fuzz import contradictions

from qqdiag.cpython.asyncio_offsets import TABLE
from qqdiag.cpython.debug_offsets import HEADER, TABLES

SAMPLES = 4  # of other numbers for each field


@pytest.fixture
def recorded(interpreter: Interpreter) -> Recorded:
    with patients.start(interpreter.path, "few.py") as few:
        return harmed.record_process(few.pid)


def fields(recorded: Recorded) -> list[int]:
    """The addresses of the words of both tables that are published, as far as the version has them."""
    known = recorded.known.interpreter
    assert known is not None
    runtime, names = known.symbols["_PyRuntime"], TABLES.get(known.version[:2], ())
    found = [runtime + offset for offset in range(0, HEADER + 8 * len(names), 8)] if names else []
    if known.layout.task_node is not None:
        marks = [word for word in recorded.finding if is_table(recorded, word)]
        assert marks, "the table of _asyncio was not read"
        found += range(marks[0], marks[0] + TABLE.size, 8)
    return found


def is_table(recorded: Recorded, word: int) -> bool:
    """Whether `_asyncio`'s table begins there: the sizes of a task and of the interpreter's state, at their places."""
    memory = Harmed(recorded.pages, recorded.regions)
    known = recorded.known.interpreter
    assert known is not None
    place = word + 56
    if place & -4096 not in memory.pages or memory.word(word) != known.layout.fingerprint_asyncio["Task"]:
        return False
    return memory.word(place) == known.layout.interpreter_size


def test_published_numbers(interpreter: Interpreter, recorded: Recorded) -> None:
    count: Counter[str] = Counter()
    places = fields(recorded)
    for number, at in enumerate(places):
        chance = random.Random(f"{interpreter.name}-{number}")
        old = Harmed(recorded.pages, recorded.regions).word(at)
        others = [old ^ 1 << chance.randrange(12), old + chance.choice([-8, 8, 16]), chance.choice(EXTREMES), 0]
        for other in others[:SAMPLES]:
            memory = Harmed(recorded.pages, recorded.regions)
            memory.poke(at, other % (1 << 64))
            python = attempt(memory)
            said = [] if python is None else contradictions(python, recorded.found)
            assert said == [], f"{other} in place of {old} in word {number}"
            count["refused" if python is None else "answered"] += 1
    assert bool(count) == (interpreter.version >= (3, 13))
    assert not count or min(count["refused"], count["answered"]) > 10, count
