"""Recorded memory of real processes, harmed where the reader looks: 20,000 times an answer or a sentence, soon.

What failed is kept in the tests' cache, its seed beside it: python tests/reader/test_fuzz.py FILE reads it once more.
"""

from __future__ import annotations

import random
import resource
import signal
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import msgspec
import patients
import pytest
from cached import cache
from interpreters import Interpreter

from qqdiag.collect.gateway import read_gateway
from qqdiag.cpython import known
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.errors import NotReadable
from qqdiag.memory.live import LARGEST, PAGE, LiveMemory
from qqdiag.memory.source import MemorySource, Region, Unreadable
from qqdiag.profiles import profiles
from qqdiag.snapshot import Python

ROUNDS = 2_500  # for each of eight interpreters
WITHIN = 5  # seconds of processor time for a reading that takes some milliseconds
GROWTH = 400 << 20  # bytes that this process may grow by, over all rounds
FINDING = 0.01  # share of the harms where the interpreter is looked for: then all of the memory is searched for it
SEEN = 0.8  # share of the harms that are aimed at bytes which the walk reads
ANSWERED = 0.2  # share of the readings that still give an answer
SILENT = (
    0.005  # share of the readings that may lose tasks unsaid: a slot of a set that reads as free is no contradiction
)
EXTREMES = (0, 1, 2, 255, 70_000, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1)

Harm = Callable[["Harmed", random.Random, int, "Recorded"], None]


class Recorded(NamedTuple):
    """Pages of a process that stood still, the words of them that a reading looked at, and what it found."""

    pages: dict[int, bytes]
    regions: Sequence[Region]
    finding: list[int]  # addresses of words that are read to find the interpreter
    words: list[int]  # and of those that are read after it is found
    pointers: list[int]
    interpreter: known.Interpreter
    found: Python


class Recorder:
    """Notes which words of another memory are read."""

    def __init__(self, memory: MemorySource) -> None:
        self.memory = memory
        self.words: set[int] = set()

    def read(self, address: int, size: int) -> bytes:
        data = self.memory.read(address, size)  # what cannot be read is no word
        self.words.update(range(address & -8, address + size, 8))
        return data

    def regions(self) -> Sequence[Region]:
        return self.memory.regions()


class Harmed:
    """Recorded pages, some of them changed; `hit` when a changed word is read, or one that was taken away."""

    def __init__(self, pages: dict[int, bytes], regions: Sequence[Region]) -> None:
        self.pages = dict(pages)
        self.words: list[int] = []
        self.touched: set[int] = set()  # pages
        self.hit = False
        self._regions = regions

    def regions(self) -> Sequence[Region]:
        return self._regions

    def read(self, address: int, size: int) -> bytes:
        first = address & -PAGE
        page = self.pages.get(first)
        if page is not None and first not in self.touched and 0 <= size <= first + PAGE - address:
            return page[address - first : address - first + size]
        if not 0 <= size <= LARGEST:
            raise Unreadable(address, size)
        self.hit = self.hit or any(address - 8 < word < address + size for word in self.words)
        parts = []
        for start in range(first, address + max(size, 1), PAGE):
            page = self.pages.get(start)
            if page is None:
                self.hit = self.hit or start in self.touched
                raise Unreadable(start, size)
            parts.append(page)
        return b"".join(parts)[address - first : address - first + size]

    def poke(self, address: int, word: int) -> None:
        page = bytearray(self.pages[address & -PAGE])
        struct.pack_into("<Q", page, address % PAGE, word)
        self.pages[address & -PAGE] = bytes(page)
        self.words.append(address)
        self.touched.add(address & -PAGE)

    def word(self, address: int) -> int:
        (word,) = struct.unpack_from("<Q", self.pages[address & -PAGE], address % PAGE)
        return int(word)


# --- harms -----------------------------------------------------------------------------------------------------------


def flip(memory: Harmed, chance: random.Random, at: int, recorded: Recorded) -> None:
    memory.poke(at, memory.word(at) ^ 1 << chance.randrange(64))


def point_elsewhere(memory: Harmed, chance: random.Random, at: int, recorded: Recorded) -> None:
    """At another object: cycles, and objects of another type than expected."""
    memory.poke(at, chance.choice(recorded.pointers))


def point_at_itself(memory: Harmed, chance: random.Random, at: int, recorded: Recorded) -> None:
    memory.poke(at, at - chance.choice([0, 8, 16, 24, 32, 64]))


def zero(memory: Harmed, chance: random.Random, at: int, recorded: Recorded) -> None:
    memory.poke(at, 0)


def exaggerate(memory: Harmed, chance: random.Random, at: int, recorded: Recorded) -> None:
    memory.poke(at, chance.choice(EXTREMES))


def scramble(memory: Harmed, chance: random.Random, at: int, recorded: Recorded) -> None:
    for word in range(at, min(at + 64, (at | PAGE - 1) + 1), 8):
        memory.poke(word, chance.getrandbits(64))


def take_away(memory: Harmed, chance: random.Random, at: int, recorded: Recorded) -> None:
    """A page that is not there, as in a torn capture or a core that was cut."""
    memory.pages.pop(at & -PAGE, None)
    memory.touched.add(at & -PAGE)


HARMS: tuple[Harm, ...] = (flip, point_elsewhere, point_at_itself, zero, exaggerate, scramble, take_away)


def harmed(recorded: Recorded, seed: str) -> Harmed:
    chance = random.Random(seed)
    memory = Harmed(recorded.pages, recorded.regions)
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        at = aim(recorded, chance)
        if at & -PAGE in memory.pages:
            chance.choice(HARMS)(memory, chance, at, recorded)
    return memory


def aim(recorded: Recorded, chance: random.Random) -> int:
    if chance.random() < FINDING:
        return chance.choice(recorded.finding)
    if chance.random() < SEEN:
        return chance.choice(recorded.words)
    return chance.choice(list(recorded.pages)) + 8 * chance.randrange(PAGE // 8)


# --- a reading -------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(interpreter: Interpreter) -> Recorded:
    with patients.start(interpreter.path, "few.py") as few, LiveMemory(few.pid) as memory:
        recorder = Recorder(memory)
        learned = known.Known()
        runtime = attach(recorder, learned)
        assert learned.interpreter
        finding = sorted(recorder.words)
        recorder.words.clear()
        found = read_python(attach(recorder, known.Known(learned.interpreter)), 0.0)
        read_gateway(runtime, found, profiles())
        pages, words = dict(memory.pages), sorted(recorder.words.difference(finding))
        contents = (struct.unpack_from("<Q", pages[word & -PAGE], word % PAGE)[0] for word in words)
        pointers = sorted({word for word in contents if word & -PAGE in pages})
        return Recorded(pages, list(memory.regions()), finding, words, pointers, learned.interpreter, found)


class TooSlow(BaseException):
    """Of its own, so that nothing catches it."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Also ends a walk without an end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    former = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


def attempt(memory: MemorySource, interpreter: known.Interpreter | None = None) -> Python | None:
    """A reading as the walk of a sample makes it, without its boundary; None when it says that it cannot read.

    `interpreter`: where the first sample found it.
    """
    with within(WITHIN):
        try:
            runtime = attach(memory, known.Known(interpreter))
            python = read_python(runtime, 0.0)
            read_gateway(runtime, python, profiles())
            return python
        except (NotReadable, Unreadable):
            return None


def check(python: Python) -> None:
    """What cannot be is marked: a task twice, a chain that returns."""
    addresses = [task.address for task in python.tasks]
    assert len(addresses) == len(set(addresses))
    for task in python.tasks:
        levels = [level.address for level in task.chain if level.address]
        assert len(levels) == len(set(levels)) or task.doubts, "a chain that loops is not marked"


def is_silent(python: Python, truth: Python) -> bool:
    """Whether tasks are lost, and nothing says so."""
    lost = {task.address for task in truth.tasks} - {task.address for task in python.tasks}
    return bool(lost) and not python.doubts


def test_harmed_memory(interpreter: Interpreter, recorded: Recorded) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count: Counter[str] = Counter()
    for number in range(ROUNDS):
        seed = f"{interpreter.name}-{number}"
        memory = harmed(recorded, seed)
        try:
            python = attempt(memory, recorded.interpreter if number % 10 else None)
            if python is not None:
                check(python)
                count["silent"] += is_silent(python, recorded.found)
        except (Exception, TooSlow) as error:
            error.add_note(f"seed {seed}, kept in {keep(memory, seed)}")
            raise
        count.update(hit=memory.hit, answered=python is not None)
    assert count["hit"] >= ROUNDS / 2, count
    assert count["answered"] >= ANSWERED * ROUNDS, count
    assert count["silent"] <= SILENT * ROUNDS, count
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < GROWTH


# --- once more -------------------------------------------------------------------------------------------------------


def keep(memory: Harmed, seed: str) -> Path:
    path = cache() / f"fuzz-{seed}.msgpack"
    path.write_bytes(msgspec.msgpack.encode([memory.pages, memory.regions()]))
    return path


def again(path: Path) -> Python | None:
    pages, regions = msgspec.msgpack.decode(path.read_bytes(), type=tuple[dict[int, bytes], list[Region]])
    return attempt(Harmed(pages, regions))


if __name__ == "__main__":
    print(again(Path(sys.argv[1])))
