"""Recorded memory of real processes, and the harms that are done to it."""

from __future__ import annotations

import random
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from qqdiag.collect.gateway import read_gateway
from qqdiag.cpython.known import Interpreter, Known
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.errors import NotReadable
from qqdiag.memory.live import LARGEST, PAGE, LiveMemory
from qqdiag.memory.source import MemorySource, Region, Unreadable
from qqdiag.profiles import profiles
from qqdiag.snapshot import Python

WITHIN = 5  # seconds of processor time for a reading that takes some milliseconds
EXTREMES = (0, 1, 2, 255, 70_000, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1)


class Recorder:
    """Notes which words of another memory are read, and keeps their pages."""

    def __init__(self, memory: MemorySource) -> None:
        self.memory = memory
        self.words: set[int] = set()
        self.pages: dict[int, bytes] = {}

    def read(self, address: int, size: int) -> bytes:
        data = self.memory.read(address, size)  # what cannot be read is no word
        self.words.update(range(address & -8, address + size, 8))
        for page in range(address & -PAGE, address + size, PAGE):
            if page not in self.pages:
                self.pages[page] = self.memory.read(page, PAGE)
        return data

    def regions(self) -> Sequence[Region]:
        return self.memory.regions()

    def taken(self) -> list[int]:
        """The words that were read since the last call."""
        words, self.words = sorted(self.words), set()
        return words


class Recorded(NamedTuple):
    """Pages of a process that stood still, the words of them that readings looked at, and what was found."""

    pages: dict[int, bytes]
    regions: Sequence[Region]
    finding: list[int]  # addresses of words that are read to find the interpreter
    first: list[int]  # of those that are read after it is found
    again: list[int]  # and of those that are read where types, code and modules are known
    pointers: list[int]
    known: Known
    found: Python


def record(memory: MemorySource) -> Recorded:
    """What readings need of a memory that does not change."""
    recorder, learned = Recorder(memory), Known()
    attach(recorder, learned)
    finding = recorder.taken()
    found = whole(recorder, learned)
    first = sorted(set(recorder.taken()).difference(finding))
    assert whole(recorder, copied(learned)) == found
    again = recorder.taken()
    pages = recorder.pages
    contents = (struct.unpack_from("<Q", pages[word & -PAGE], word % PAGE)[0] for word in first)
    pointers = sorted({word for word in contents if word & -PAGE in pages})
    return Recorded(pages, list(memory.regions()), finding, first, again, pointers, learned, found)


def record_process(pid: int) -> Recorded:
    with LiveMemory(pid) as memory:
        return record(memory)


def whole(memory: MemorySource, known: Known) -> Python:
    """A reading as the walk of a sample makes it, without its boundary."""
    runtime = attach(memory, known)
    python = read_python(runtime, 0.0)
    read_gateway(runtime, python, profiles())
    return python


def copied(known: Known) -> Known:
    """The same knowledge, of which nothing is changed by what is learned now."""
    return Known(
        known.interpreter,
        dict(known.types),
        dict(known.codes),
        dict(known.shapes),
        dict(known.modules),
        dict(known.indexes),
    )


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
        """Another word at an address, which may lie across two pages."""
        for at, byte in enumerate(struct.pack("<Q", word), address):
            page = bytearray(self.pages[at & -PAGE])
            page[at % PAGE] = byte
            self.pages[at & -PAGE] = bytes(page)
            self.touched.add(at & -PAGE)
        self.words.append(address)

    def word(self, address: int) -> int:
        (word,) = struct.unpack_from("<Q", self.pages[address & -PAGE], address % PAGE)
        return int(word)


# --- harms -----------------------------------------------------------------------------------------------------------

Harm = Callable[[Harmed, random.Random, int, Recorded], None]


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


# --- a reading of what was harmed ------------------------------------------------------------------------------------


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


def attempt(memory: MemorySource, interpreter: Interpreter | None = None, known: Known | None = None) -> Python | None:
    """A reading; None when it says that it cannot read. `interpreter`: where the first sample found it, `known`: all
    that it learned."""
    with within(WITHIN):
        try:
            return whole(memory, copied(known) if known else Known(interpreter))
        except (NotReadable, Unreadable):
            return None
