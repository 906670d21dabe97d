"""An interpreter without names is searched for in memory that would have the search go on for ever."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from qqdiag.cpython import unnamed
from qqdiag.memory.live import PAGE
from qqdiag.memory.source import Region, Unreadable

SIZE = 1 << 16


class Endless:
    """Mappings of a file called python, in which every word points into one of them, each to another place."""

    def __init__(self, count: int) -> None:
        self.reads = 0
        starts = range(1 << 32, (1 << 32) + 2 * SIZE * count, 2 * SIZE)
        self._regions = [Region(start, start + SIZE, True, True, 0, "/usr/bin/python3.11") for start in starts]

    def regions(self) -> Sequence[Region]:
        return self._regions

    def read(self, address: int, size: int) -> bytes:
        self.reads += 1
        first = address & -8
        words = (word ^ SIZE // 2 for word in range(first, address + size, 8))
        data = b"".join(struct.pack("<Q", word) for word in words)
        return data[address - first : address - first + size]


class Nothing(Endless):
    """The same mappings, of which no page is there."""

    def read(self, address: int, size: int) -> bytes:
        self.reads += 1
        raise Unreadable(address, size)


def test_pointers_that_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unnamed, "MAX_TRIES", 500)
    memory = Endless(1_000)
    assert unnamed.runtime(memory, memory.regions()) is None
    assert 500 < memory.reads < 40 * 500, "each is followed once for each layout"


def test_mappings_that_are_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also such as cannot be read."""
    monkeypatch.setattr(unnamed, "MAX_SCANS", 3 * SIZE)
    memory = Nothing(1_000)
    assert unnamed.runtime(memory, memory.regions()) is None
    assert memory.reads == 3 * SIZE // PAGE
