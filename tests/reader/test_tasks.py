"""What the reader says of the tasks of another process is what the process says of itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import debian_unstable
import interpreters
import patients
import pytest
from interpreters import Interpreter
from patients import Patient

from qqdiag.cpython import frames, futures, tasks
from qqdiag.cpython.causes import Causes
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
from qqdiag.snapshot import Level, Python, Task


def by_name(python: Python, name: str) -> Task:
    return next(task for task in python.tasks if task.name.reveal() == name)


def told(task: dict[str, Any]) -> dict[str, Any]:
    return {key: task[key] for key in ("name", "type", "state", "exception", "cancelling", "waiter", "loop")}


def seen(task: Task) -> dict[str, Any]:
    return {
        "name": task.name.reveal(),
        "type": task.type.reveal(),
        "state": task.state.reveal(),
        "exception": task.exception.reveal() if task.exception else None,
        "cancelling": task.cancelling,
        "waiter": task.waiter,
        "loop": task.loop,
    }


def told_level(level: dict[str, Any]) -> tuple[Any, ...]:
    path, line = (None, None) if level["path"] is None else (level["path"], level["line"])
    return level["address"], level["qualname"] or level["type"], path, None if level["cython"] else line


def seen_level(python: Python, level: Level) -> tuple[Any, ...]:
    path = None if level.code is None else python.codes[level.code].path.reveal()
    return level.address, level.name.reveal(), path, level.line


def check(patient: Patient, python: Python) -> None:
    """Every task of the zoo's main loop: its fields, and each level of its chain."""
    found = {task.address: task for task in python.tasks}
    for truth in patient.truth["tasks"]:
        if forgotten(patient, truth):
            assert truth["address"] not in found
            assert seen(read_alone(patient, truth["address"])) == told(truth)
            continue
        task = found.pop(truth["address"])
        expected = told(truth)
        if expected["name"] == "reporter":
            expected["state"] = "running"
        if not expected["name"].isprintable():
            expected["name"] = "a\\x1b[31mred\\x00"
        assert seen(task) == expected
        assert (None if task.awaited_by is None else sorted(task.awaited_by)) == truth["awaited_by"]
        assert not task.doubts
        if expected["state"] not in ("finished", "cancelled", "failed"):
            chain = [seen_level(python, level) for level in task.chain]
            if expected["name"].startswith("python ") and "future" in expected["name"]:
                assert chain.pop()[0] == task.waiter  # `yield self`: the interpreter itself shows no edge
            assert chain == [told_level(level) for level in truth["chain"]]
    assert [name for task in found.values() if not (name := task.name.reveal()).startswith("Task-")] == ["runs block"]
    assert not python.doubts


def forgotten(patient: Patient, truth: dict[str, Any]) -> bool:
    """Since 3.14 a task that is done is in no registry any more (gh-128002), whoever still holds it."""
    return patient.truth["version"] >= [3, 14] and truth["state"] in ("finished", "cancelled", "failed")


def read_alone(patient: Patient, address: int) -> Task:
    """A task that is in no registry, by its address."""
    with LiveMemory(patient.pid) as memory:
        runtime = attach(memory)
        (task,) = tasks.read(runtime, [futures.fields(runtime, address)], Causes(runtime, {}, [], []))
    return task


def test_every_task_is_what_it_says(zoo: Patient) -> None:
    python = patients.read(zoo.pid)
    assert python.version == zoo.truth["version"]
    assert python.has_asyncio
    check(zoo, python)


def test_every_task_under_settrace(interpreter: Interpreter, zoos: Callable[..., Patient]) -> None:
    """Tracing puts other opcodes into the code (since 3.12) and other frames on the stack."""
    zoo = zoos(interpreter.path, "trace")
    check(zoo, patients.read(zoo.pid))


def test_every_task_with_aiohttp(zoos: Callable[..., Patient]) -> None:
    """On the tests' own interpreter, which has aiohttp."""
    zoo = zoos(sys.executable, "aiohttp")
    assert zoo.truth["aiohttp"]
    check(zoo, patients.read(zoo.pid))


def test_cython_coroutines(hermes_python: Path, zoos: Callable[..., Patient]) -> None:
    check_cython(zoos(hermes_python, "aiohttp"))


@pytest.mark.parametrize("name", debian_unstable.VERSIONS)
def test_cython_coroutines_of_debian(name: str, zoos: Callable[..., Patient]) -> None:
    found = interpreters.unstable(name)
    if found is None:
        pytest.skip(interpreters.CURE[name])
    check_cython(zoos(found.path, "aiohttp"))


def check_cython(zoo: Patient) -> None:
    """aiohttp's WebSocket reader is a coroutine of Cython's: the chain goes through it."""
    assert zoo.truth["aiohttp"]
    python = patients.read(zoo.pid)
    check(zoo, python)
    receives = by_name(python, "receives")
    assert "cython" in {level.kind.reveal() for level in receives.chain}
    assert receives.chain[-1].kind.reveal() == "future"


def test_locals_of_suspended_coroutines(zoo: Patient) -> None:
    """Names and types of all locals, cells and free variables of every level that has a Python frame."""
    with LiveMemory(zoo.pid) as memory:
        runtime = attach(memory)
        compared = 0
        for task in zoo.truth["tasks"]:
            for level in task["chain"] if task["name"] != "reporter" else ():
                if level["locals"] is None or level["cython"]:
                    continue
                found = frames.locals_of(runtime, level["address"])
                types = {name: runtime.objects.type_of(value).qualname for name, value in found.items()}
                assert types == level["locals"], level["qualname"]
                compared += 1
        assert compared > 80


def test_leaves(zoo: Patient) -> None:
    python = patients.read(zoo.pid)
    leaf = zoo.truth["leaf"]
    kinds = {
        "leaf": "future",
        "nested": "timer",
        "gather": "gather",
        "shield": "shield",
        "wait": "wait",
        "waits for a task": "task",
        "group": "gather",
        "waits for the lock": "lock",
        "holds the lock": "future",
        "event": "event",
        "condition": "condition",
        "queue get": "queue",
        "queue put": "queue",
        "semaphore": "semaphore",
        "executor": "executor",
        "socket": "future",
        "spins by yielding": "nothing",
        "not started": "nothing",
    }
    if zoo.truth["version"] < [3, 11]:
        del kinds["group"]
    found = {name: by_name(python, name).leaf for name in kinds}
    assert {name: leaf.kind.reveal() if leaf else None for name, leaf in found.items()} == kinds
    assert found["waits for a task"].task == found["shield"].task == leaf
    assert leaf in found["gather"].children
    assert leaf in found["wait"].children
    assert "group" not in found or found["group"].children == [by_name(python, "member").address]
    assert found["socket"].fd is not None
    assert found["nested"].deadline_at - zoo.truth["now"] == pytest.approx(3600, abs=60)


def test_fetched_exceptions(zoo: Patient) -> None:
    addresses = {task["name"]: task["address"] for task in zoo.truth["tasks"]}
    fetched = {"failed": False, "failed and fetched": True, "finished": None}
    assert {name: read_alone(zoo, addresses[name]).exception_fetched for name in fetched} == fetched
    assert by_name(patients.read(zoo.pid), "cancelled before its start").cancelling == 1


def test_running_tasks_of_other_loops(interpreter: Interpreter) -> None:
    """A task that spins and one that is blocked in a C call, each in the loop of a thread of its own."""
    with patients.start(interpreter.path, "zoo.py", "spin") as zoo:
        python = patients.read(zoo.pid)
    for name, innermost in (("runs spin", "spin"), ("runs block", "block")):
        task = by_name(python, name)
        assert task.state.reveal() == "running"
        assert [level.name.reveal() for level in task.chain] == ["runs", "runs_deeper"]
        assert not any(level.suspended for level in task.chain)
        loop = next(loop for loop in python.loops if loop.current_task == task.address)
        thread = next(thread for thread in python.threads if thread.loop == loop.address)
        assert loop.thread == thread.native_id
        names = [python.codes[frame.code].qualname.reveal() for frame in thread.frames]
        assert names[:3] == [innermost, "runs_deeper", "runs"]


def test_eager_task_in_its_first_step(interpreter: Interpreter, zoos: Callable[..., Patient]) -> None:
    """Since 3.12: two tasks are on one stack, and each has its own coroutines as its chain."""
    if interpreter.version < (3, 12):
        return  # there are none
    python = patients.read(zoos(interpreter.path, "eager").pid)
    running = [task for task in python.tasks if task.chain and task.chain[0].name.reveal() == "runs"]
    task = next(task for task in running if task.name.reveal() != "runs block")  # it gets its name after its first step
    loop = next(loop for loop in python.loops if loop.current_task == task.address)
    maker = next(other for other in python.tasks if other.loop == loop.address and other is not task)
    for found, chain in ((task, ["runs", "runs_deeper"]), (maker, ["second_loop.<locals>.main"])):
        assert found.state.reveal() == "running"
        assert [level.name.reveal() for level in found.chain] == chain
        assert not found.doubts


def test_goes_idle(interpreter: Interpreter) -> None:
    """Once the reporter lets go, the loop has nothing ready and runs no task."""

    def idle(python: Python) -> bool:
        states = {task.name.reveal(): task.state.reveal() for task in python.tasks}
        loops = {loop.address: (loop.ready, loop.current_task) for loop in python.loops}
        return loops.get(zoo.truth["loop"]) == (0, None) and states.get("reporter") == "pending"

    with patients.start(interpreter.path, "zoo.py") as zoo:
        zoo.tell("let go")
        assert zoo.hear() == "idle"
        python = patients.read_until(zoo.pid, idle)
    assert next(loop for loop in python.loops if loop.address == zoo.truth["loop"]).running
