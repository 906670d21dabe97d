"""Memory that lies: whatever the bytes are, the reader answers in bounded time, or says that it cannot read them."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable, Sequence

import patients
import pytest
from interpreters import Interpreter
from patients import Patient

from qqdiag.cpython import frame_objects
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import Runtime, attach
from qqdiag.errors import NotReadable, TargetGone
from qqdiag.memory.live import PAGE, LiveMemory
from qqdiag.memory.source import MemorySource, Region, Unreadable
from qqdiag.snapshot import Python

Pages = dict[int, bytes]
Harm = Callable[[random.Random, bytearray, list[int]], None]
EXTREMES = (0, 1, 2, 255, 70_000, 10**6, 2**31, 2**63 - 1, 2**64 - 1)
SEEDS = 12
BOUND = 10.0  # seconds for one reading that takes about 30 ms


class Copy:
    """The pages that a reading needed, to be harmed."""

    def __init__(self, pages: Pages, regions: Sequence[Region]) -> None:
        self.pages = pages
        self._regions = regions

    def read(self, address: int, size: int) -> bytes:
        start = address & -PAGE
        if not 0 <= size <= 1 << 28:
            raise Unreadable(address, size)
        missing = [page for page in range(start, address + max(size, 1), PAGE) if page not in self.pages]
        if missing:
            raise Unreadable(missing[0], size)
        whole = b"".join(self.pages[page] for page in range(start, address + max(size, 1), PAGE))
        return whole[address - start : address - start + size]

    def regions(self) -> Sequence[Region]:
        return self._regions


@pytest.fixture
def copy(zoo: Patient) -> Copy:
    with LiveMemory(zoo.pid) as memory:
        read_python(attach(memory), 0.0)
        return Copy(dict(memory.pages), memory.regions())


def flip(rng: random.Random, page: bytearray, pointers: list[int]) -> None:
    for _ in range(rng.choice([1, 20, 400])):
        page[rng.randrange(PAGE)] ^= 1 << rng.randrange(8)


def redirect(rng: random.Random, page: bytearray, pointers: list[int]) -> None:
    """Words become other pointers of the same memory: cycles, and objects of another type than expected."""
    for _ in range(rng.choice([1, 20, 200])):
        struct.pack_into("<Q", page, 8 * rng.randrange(PAGE // 8), rng.choice(pointers))


def exaggerate(rng: random.Random, page: bytearray, pointers: list[int]) -> None:
    for _ in range(20):
        struct.pack_into("<Q", page, 8 * rng.randrange(PAGE // 8), rng.choice(EXTREMES))


def scramble(rng: random.Random, page: bytearray, pointers: list[int]) -> None:
    page[:] = rng.randbytes(PAGE)


def zero(rng: random.Random, page: bytearray, pointers: list[int]) -> None:
    page[:] = bytes(PAGE)


def attempt(memory: MemorySource) -> Python | None:
    """A reading, or None when it says that it cannot read; anything else is a failure, and so is slowness."""
    started = time.monotonic()
    try:
        return read_python(attach(memory), 0.0)
    except (NotReadable, Unreadable):
        return None
    finally:
        assert time.monotonic() - started < BOUND


@pytest.mark.parametrize("harm", [flip, redirect, exaggerate, scramble, zero])
def test_harmed_pages(copy: Copy, harm: Harm) -> None:
    pointers = [
        word for page in copy.pages.values() for (word,) in struct.iter_unpack("<Q", page) if word & -PAGE in copy.pages
    ]
    answers = [attempt(harmed(copy, harm, random.Random(seed), pointers)) for seed in range(SEEDS)]
    assert any(answers), "no reading survived: the harm is too great to test anything"


def harmed(copy: Copy, harm: Harm, rng: random.Random, pointers: list[int]) -> Copy:
    pages = dict(copy.pages)
    for start in rng.sample(sorted(pages), rng.choice([1, 5, 40])):
        page = bytearray(pages[start])
        harm(rng, page, pointers)
        pages[start] = bytes(page)
    return Copy(pages, copy.regions())


def test_missing_pages(copy: Copy) -> None:
    """Each page that the reading needed is taken away in turn; what is lost is said."""
    whole = attempt(copy)
    assert whole is not None
    rng = random.Random(0)
    for start in rng.sample(sorted(copy.pages), 60):
        pages = {address: page for address, page in copy.pages.items() if address != start}
        found = attempt(Copy(pages, copy.regions()))
        if found is not None and len(found.tasks) < len(whole.tasks):
            assert found.doubts


def test_chain_that_comes_back_to_itself(copy: Copy, interpreter: Interpreter) -> None:
    """The innermost coroutine of a chain is made to await the outermost."""
    nested = next(task for task in read_python(attach(copy), 0.0).tasks if task.name.reveal() == "nested")
    levels = [level for level in nested.chain if level.kind.reveal() == "coroutine"]
    runtime = attach(copy)
    poke(copy, awaiting_slot(runtime, levels[-1].address), levels[0].address)
    task = next(task for task in read_python(attach(copy), 0.0).tasks if task.address == nested.address)
    assert [level.address for level in task.chain[: len(levels)]] == [level.address for level in levels]
    assert "The chain comes back to {address}." in {doubt.template for doubt in task.doubts}


def awaiting_slot(runtime: Runtime, coroutine: int) -> int:
    """The address of the word on a coroutine's value stack that holds what it awaits."""
    layout, word = runtime.layout, runtime.objects.read_word
    frame = coroutine + layout.coroutine_frame
    if layout.frame_object is not None:
        return frame_objects.read(runtime.objects, word(frame)).top - 8
    read = word if layout.stacktop_is_pointer else runtime.objects.read_int
    top = layout.stack_depth(frame, read(frame + layout.frame_stacktop))
    return frame + layout.frame_localsplus + 8 * (top - layout.awaited_depth)


def test_waiter_that_is_not_the_leaf(copy: Copy) -> None:
    """A torn reading shows as a task whose waiter is not where its chain ends."""
    python = read_python(attach(copy), 0.0)
    task = next(task for task in python.tasks if task.name.reveal() == "nested")
    other = next(task for task in python.tasks if task.name.reveal() == "event")
    assert task.waiter
    assert other.waiter
    poke(copy, task.address + attach(copy).layout.task_waiter, other.waiter)
    again = next(found for found in read_python(attach(copy), 0.0).tasks if found.address == task.address)
    assert [doubt.template for doubt in again.doubts] == ["The task waits for {waiter}, its chain ends at {leaf}."]


def test_task_that_waits_for_nothing(copy: Copy) -> None:
    """Its chain ends at a future all the same."""
    task = next(task for task in read_python(attach(copy), 0.0).tasks if task.name.reveal() == "nested")
    poke(copy, task.address + attach(copy).layout.task_waiter, 0)
    again = next(found for found in read_python(attach(copy), 0.0).tasks if found.address == task.address)
    assert [doubt.template for doubt in again.doubts] == ["The task waits for nothing, its chain ends at {leaf}."]


def poke(copy: Copy, address: int, word: int) -> None:
    page = bytearray(copy.pages[address & -PAGE])
    struct.pack_into("<Q", page, address % PAGE, word)
    copy.pages[address & -PAGE] = bytes(page)


def test_exits_while_it_is_read(interpreter: Interpreter) -> None:
    """After the exit every read says so: it is neither zeros nor another program's memory."""
    with patients.start(interpreter.path, "zoo.py") as zoo, LiveMemory(zoo.pid) as memory:
        runtime = attach(memory)
        zoo.process.kill()
        zoo.process.wait()
        memory.forget()
        with pytest.raises(TargetGone):
            read_python(runtime, 0.0)
