"""The walk over the heap: what no registry has, and waits that nothing can end, beside those that only look so."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import patients
import pytest
from interpreters import Interpreter
from patients import Patient

from qqdiag.cpython import heap, orphans
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Deep


class Read(NamedTuple):
    patient: Patient
    deep: Deep


@pytest.fixture(scope="session")
def abandoned() -> Iterator[Callable[[Path], Patient]]:
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(python: Path) -> Patient:
            return stack.enter_context(patients.start(python, "abandoned.py"))

        yield start


@pytest.fixture
def read(interpreter: Interpreter, abandoned: Callable[[Path], Patient]) -> Read:
    patient = abandoned(interpreter.path)
    deadline = time.monotonic() + patients.START
    while not (deep := read_deep(patient.pid)).complete:  # its last step to where it stands still
        assert time.monotonic() < deadline, "it never settled"
    return Read(patient, deep)


def read_deep(pid: int) -> Deep:
    with LiveMemory(pid) as memory:
        runtime = attach(memory)
        return orphans.read(runtime, read_python(runtime, 0.0))


def test_every_object_of_the_collector_is_met(read: Read) -> None:
    """As many as `gc.get_objects` gives, which leaves out the permanent generation, and what came or went since."""
    assert read.deep.complete
    assert -100 <= read.deep.objects - read.patient.truth["objects"] <= 1000


def test_waits_that_nothing_can_end(read: Read) -> None:
    """Whatever else holds a future, however indirectly, may complete it: then nothing is said."""
    names = {address: name for name, address in read.patient.truth["tasks"].items()}
    found = sorted(names[address] for address in read.deep.unreachable)
    assert found == ["forgotten", "forgotten_deep", "forgotten_with_a_local"]


def test_what_no_registry_has(read: Read) -> None:
    rows = [(row.kind.reveal(), row.state.reveal(), row.name.reveal(), row.count) for row in read.deep.orphans]
    assert rows == [
        ("task", "pending", "sleeps", 1),
        ("coroutine", "created", "never_begun", 3),
        ("coroutine", "suspended", "driven_by_hand", 1),
    ]
    assert read.deep.orphans[0].address == read.patient.truth["unlisted"]
    assert read.deep.orphans[2].address == read.patient.truth["by_hand"]
    assert all(row.path is not None and row.path.reveal().endswith("abandoned.py") for row in read.deep.orphans)


def test_a_walk_that_is_cut_short_says_so(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "MAX_OBJECTS", 1000)
    cut = read_deep(read.patient.pid)
    assert (cut.objects, cut.complete) == (1000, False)


class Bent:
    """The memory of a process with one word changed."""

    def __init__(self, memory: LiveMemory, address: int, word: int) -> None:
        self._memory, self._address, self._word = memory, address, word.to_bytes(8, "little")
        self.regions = memory.regions

    def read(self, address: int, size: int) -> bytes:
        data = bytearray(self._memory.read(address, size))
        for index in range(8):
            if 0 <= self._address + index - address < size:
                data[self._address + index - address] = self._word[index]
        return bytes(data)


@pytest.mark.parametrize("to", [0, 8, 1 << 63, "itself", "head"])
def test_a_torn_ring_ends_the_walk(read: Read, to: int | str) -> None:
    with LiveMemory(read.patient.pid) as memory:
        runtime = attach(memory)
        rings = heap.rings(runtime, runtime.interpreters[-1])
        head = max(rings, key=lambda ring: sum(1 for _ in heap._ring(runtime, ring)))
        third = head
        for _ in range(3):
            third = runtime.objects.read_word(third) & heap.LINK
        word = {"itself": third, "head": head}.get(str(to), to)
        bent = attach(Bent(memory, third, word))  # type: ignore[arg-type]
        with contextlib.suppress(heap.Torn, Unreadable):
            found = sum(1 for _ in heap.objects(bent, 1_000_000))
            assert to == "head", "only a ring that was made shorter may be walked to its end"
            assert found
