"""Tasks whose thread has ended; and since 3.14 the rings of tasks, whole and torn."""

from __future__ import annotations

import struct
from collections.abc import Callable

import interpreters
import patients
import pytest
from edited import Edited
from interpreters import Interpreter
from patients import Patient

from qqdiag.cpython import frames, task_rings
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import Runtime, attach
from qqdiag.snapshot import Python


def test_tasks_whose_thread_has_ended(interpreter: Interpreter) -> None:
    with patients.start(interpreter.path, "left_behind.py") as patient:
        python = patients.read(patient.pid)
    pending = {task.name.reveal(): task for task in python.tasks if task.state.reveal() == "pending"}
    assert sorted(pending) == ["here", "left by 0", "left by 1", "left by 2"]
    assert not python.doubts
    for task in pending.values():
        assert [level.name.reveal() for level in task.chain] == ["forever", "FutureIter", "Future"]
        assert not task.doubts
    loop = next(loop for loop in python.loops if loop.address == pending["left by 0"].loop)
    assert (loop.running, loop.thread, loop.current_task) == (False, None, None)


@pytest.fixture(params=["3.14", "3.15"])
def ringed(request: pytest.FixtureRequest, zoos: Callable[..., Patient]) -> Patient:
    found = interpreters.find(request.param)
    if found is None:
        pytest.skip(interpreters.CURE[request.param])
    return zoos(found.path)


def nodes(runtime: Runtime, pid: int) -> list[int]:
    """Of the main loop's tasks, in the order of their ring."""
    (thread,) = (thread for thread in frames.threads(runtime, []) if thread.native_id == pid)
    node = runtime.layout.task_node or 0
    return [task + node for task in task_rings.tasks(runtime, [thread], 1_000, [])]


def read_with(patient: Patient, edit: Callable[[Runtime, list[int]], dict[int, int]]) -> tuple[Python, int]:
    """What is read where some words of the main ring read otherwise, and how many tasks it has."""
    with Edited(patient.pid) as memory:
        runtime = attach(memory)
        ring = nodes(runtime, patient.pid)
        memory.edits = {at: struct.pack("<Q", value) for at, value in edit(runtime, ring).items()}
        return read_python(attach(memory), 0.0), len(ring)


def templates(python: Python) -> list[str]:
    return [doubt.template for doubt in python.doubts]


def test_ring_that_turns_back(ringed: Patient) -> None:
    """A node that leads to an earlier one: those on the way are found once, and the reading ends."""
    python, _ = read_with(ringed, lambda _, ring: {ring[20]: ring[10]})
    assert templates(python) == ["A list of tasks leads into another one at {address}."]
    addresses = [task.address for task in python.tasks]
    assert len(addresses) == len(set(addresses))
    assert 20 < len(addresses) < 40


def test_task_that_has_moved_to_the_list_of_the_ended(ringed: Patient) -> None:
    def moved(runtime: Runtime, ring: list[int]) -> dict[int, int]:
        assert runtime.layout.interpreter_tasks is not None
        return {ring[-1]: runtime.interpreters[0] + runtime.layout.interpreter_tasks}

    python, count = read_with(ringed, moved)
    assert templates(python) == ["A list of tasks leads into another one at {address}."]
    assert len(python.tasks) >= count


def test_ring_that_breaks_off(ringed: Patient) -> None:
    python, _ = read_with(ringed, lambda _, ring: {ring[20]: 16})
    assert templates(python)[0] == "A list of tasks breaks off: nothing at {address}."
    assert len(python.tasks) > 20


def test_node_that_is_no_task(ringed: Patient) -> None:
    """A ring that leads to something else than a task: that one is left out with a doubt."""
    python, count = read_with(ringed, lambda runtime, ring: {ring[20]: runtime.address})
    assert any(
        "could not be read" in template or "leads into" in template or "breaks off" in template
        for template in templates(python)
    )
    assert all(task.name.reveal() for task in python.tasks)
    assert 20 < len(python.tasks) < count + 10
