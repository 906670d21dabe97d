"""The walk over the heap: what no registry has, and waits that nothing can end, beside those that only look so."""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import patients
import pytest
from interpreters import Interpreter
from patients import Patient

from qqdiag.collect import deep
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
    while not (found := read_deep(patient.pid)).complete:  # its last step to where it stands still
        assert time.monotonic() < deadline, "it never settled"
    return Read(patient, found)


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
    found = sorted(names[address] for address in read.deep.unreachable if address in names)
    expected = {"forgotten", "forgotten_deep", "forgotten_own_class", "forgotten_python_future"}
    assert found == sorted({*expected, "forgotten_with_a_local"})
    composed = {"all", "futures", "gather", "group", "shield", "shielded_future", "task", "task_of_tasks"}
    expected = {f"waits_for_{name}" for name in composed} & names.keys() | {*read.patient.truth["tasks"]}
    found = sorted(names[address] for address in read.deep.endless if address in names)
    assert found == sorted(name for name in expected if name.removeprefix("waits_for_") in composed)


def test_what_no_registry_has(read: Read) -> None:
    rows = [(row.kind.reveal(), row.state.reveal(), row.name.reveal(), row.count) for row in read.deep.orphans]
    assert rows == [
        ("task", "pending", "sleeps", 1),
        ("coroutine", "created", "never_begun", 3),
        ("async-generator", "yielded", "left_in_the_middle", 1),
        ("async-generator", "created", "never_iterated", 1),
        ("async-generator", "suspended", "stuck_in_an_await", 1),
        ("coroutine", "suspended", "driven_by_hand", 1),
    ]
    truth = read.patient.truth
    addresses = [truth["generators"]["left"], truth["generators"]["stuck"], truth["by_hand"]]
    assert [read.deep.orphans[index].address for index in (0, 2, 4, 5)] == [truth["unlisted"], *addresses]
    assert all(row.path is not None and row.path.reveal().endswith("abandoned.py") for row in read.deep.orphans)


def test_what_they_await(read: Read) -> None:
    rows = {row.name.reveal(): row for row in read.deep.orphans}
    for name in ("driven_by_hand", "stuck_in_an_await"):
        assert [step.name.reveal() for step in rows[name].chain] == ["inner_step"]
        assert rows[name].waits is not None
        assert rows[name].waits.reveal().endswith("Future")
    assert [step.name.reveal() for step in rows["sleeps"].chain] == ["sleep"]
    assert (rows["never_begun"].chain, rows["never_begun"].waits) == ([], None)


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


def shown(*arguments: str) -> str:
    command = [sys.executable, "-m", "qqdiag", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode < 4, result.stderr  # the code of the verdict
    return result.stdout


def test_the_command_says_it_and_a_capture_keeps_it(tmp_path: Path) -> None:
    with patients.start(sys.executable, "abandoned.py") as patient:
        live = shown("inspect", str(patient.pid), "--interval", "0", "--deep")
        assert "\nHeap" not in shown("inspect", str(patient.pid), "--interval", "0")
        shown("capture", str(patient.pid), "--interval", "0", "-o", str(tmp_path / "plain.qqd"))
        shown("capture", str(patient.pid), "--interval", "0", "--deep", "-o", str(tmp_path / "deep.qqd"))
    for text in (live, shown("inspect", str(tmp_path / "deep.qqd"))):
        assert text.count("waits for a future that nothing else holds: only a cancellation can end that") > 3
        assert text.count("nothing else refers to this future: it can never complete") >= 3
        assert re.search(r"nothing that it waits for can ever complete\n +waits for 2 tasks and a future\n", text)
        assert "1 x left_in_the_middle, an async generator, left at a yield, in no task's frame" in text
        assert "3 x never_begun, never awaited" in text
        assert "1 x driven_by_hand, suspended in no task" in text
        assert "which asyncio does not list: sleeps" in text
        assert re.search(
            r"driven_by_hand, suspended in no task[^\n]+\n +inner_step [^\n]+\n +waits for \S*Future\n", text
        )
    assert "heap: the capture has not all memory" in shown("inspect", str(tmp_path / "plain.qqd"), "--deep")


BUSY = """
import asyncio, json, os

HELD, HEAP = [], [[number] for number in range(20_000)]

async def waits(held):
    future = asyncio.get_running_loop().create_future()
    if held:
        HELD.append(future)
    await future

async def main():
    tasks = [asyncio.get_running_loop().create_task(waits(number % 2)) for number in range(100)]
    await asyncio.sleep(0)
    print(json.dumps({"pid": os.getpid(), "forgotten": [id(task) for task in tasks[::2]]}), flush=True)
    while True:
        await asyncio.sleep(0)
        HELD.append([[] for _ in range(20)])
        del HELD[50:]

asyncio.run(main())
"""


def test_a_busy_target_is_read_of_one_moment(interpreter: Interpreter, tmp_path: Path) -> None:
    """Objects come and go all the time; what is found is right, or it is said that it could not be had."""
    program = tmp_path / "busy.py"
    program.write_text(BUSY)
    with patients.start(interpreter.path, str(program)) as patient:
        found = [deep.collect(patient.pid, time.monotonic() + 20) for _ in range(2)]
    read = [each for each in found if isinstance(each, Deep)]
    for each in read:
        assert set(each.unreachable) == set(patient.truth["forgotten"])
        # What the running task has just made and does not yet await is in no chain at that moment.
        assert [row for row in each.orphans if row.name.reveal() != "sleep"] == []
    assert read, found
