"""Tasks in subinterpreters with a GIL of their own are what these interpreters say themselves."""

from __future__ import annotations

import patients
from interpreters import Interpreter
from patients import Patient

from qqdiag.snapshot import Python, Task


def settled(python: Python) -> bool:
    """Whether both that spin are at it, and the others wait."""
    at = [python.codes[thread.frames[0].code].qualname.reveal() for thread in python.threads if thread.frames]
    current = sum(loop.current_task is not None for loop in python.loops)
    return current == 2 == at.count("spin") and all(task.chain for task in python.tasks)


def seen(task: Task) -> list[object]:
    chain = [[level.address, level.name.reveal()] for level in task.chain if level.kind.reveal() == "coroutine"]
    return [task.address, task.state.reveal(), chain]


def told(patient: Patient) -> dict[str, list[object]]:
    return {name: row for one in patient.truth["interpreters"] for name, row in one["tasks"].items()}


def test_every_interpreter_says_the_same(interpreter: Interpreter) -> None:
    if interpreter.version < (3, 12):
        return  # one GIL for all
    with patients.start(interpreter.path, "own_gils.py") as patient:
        python = patients.read_until(patient.pid, settled)
    assert set(patient.truth["gils"].values()) == {"own"}
    assert len(patient.truth["gils"]) == (5 if interpreter.version >= (3, 14) else 3)
    expected = told(patient)
    found = {task.name.reveal(): task for task in python.tasks}
    assert {name: seen(task) for name, task in found.items()} == expected
    loops = {loop.address: loop for loop in python.loops}
    assert len(loops) == len(patient.truth["gils"])
    for one in patient.truth["interpreters"]:
        loop = loops[one["loop"]]
        assert loop.running
        names = {name for name, task in found.items() if task.loop == loop.address}
        assert names == set(one["tasks"])
        running = [row[0] for row in one["tasks"].values() if row[1] == "running"]
        assert [loop.current_task] == (running or [None])
        if interpreter.version >= (3, 13):  # before, it runs on the thread state of the thread that made it
            assert loop.thread == one["thread"]
        lock = next(lock for lock in python.locks if lock.holders == [found[f"{one['name']} holds"].address])
        assert lock.waiters == [found[f"{one['name']} waits"].address]
    of_spinning(python)


def of_spinning(python: Python) -> None:
    """The stack of each task that runs, of two interpreters at once."""
    spinning = [task for task in python.tasks if task.state.reveal() == "running"]
    assert sorted(task.name.reveal() for task in spinning) == ["three main", "two main"]
    for task in spinning:
        (thread,) = (one for one in python.threads if one.loop == task.loop)
        assert python.codes[thread.frames[0].code].qualname.reveal() == "spin"
