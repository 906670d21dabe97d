"""Tasks in a uvloop, whose own state is C's: the tasks are read as ever, of the loop the kernel has the only word."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

import interpreters
import patients
import pytest
import uvloop_wheels
from interpreters import Interpreter
from patients import Patient

from qqdiag.snapshot import Python


@contextlib.contextmanager
def started(interpreter: Interpreter) -> Iterator[Patient]:
    try:
        environment = uvloop_wheels.environment(interpreter)
    except uvloop_wheels.NotMade as error:
        pytest.skip(str(error))
    with patients.start(interpreter.path, "on_uvloop.py", environment=environment) as found:
        patients.read_until(found.pid, idle)
        yield found


@pytest.fixture
def patient(interpreter: Interpreter) -> Iterator[Patient]:
    with started(interpreter) as found:
        yield found


def idle(python: Python) -> bool:
    return all(loop.current_task is None for loop in python.loops)


def test_tasks_and_loop(patient: Patient) -> None:
    python = patients.read(patient.pid)
    assert not python.doubts
    found = {task.address: task for task in python.tasks}
    for name, truth in patient.truth["tasks"].items():
        task = found[truth["address"]]
        assert task.name.reveal() == name
        assert task.state.reveal() == "pending"
        assert task.loop == patient.truth["loop"]
        assert [level.name.reveal() for level in task.chain][: len(truth["chain"])] == truth["chain"]
        assert not task.doubts
    assert len(found) == len(patient.truth["tasks"])
    kinds = {task.name.reveal(): task.leaf.kind.reveal() for task in python.tasks if task.leaf}
    told = {"waits for the lock": "lock", "event": "event", "queue": "queue", "gather": "gather"}
    assert {name: kinds[name] for name in told} == told
    assert kinds["executor"] == "executor"
    (loop,) = python.loops
    assert loop.address == patient.truth["loop"]
    assert loop.type.reveal() == "Loop"
    assert loop.opaque
    assert loop.running
    assert loop.thread == patient.pid
    assert (loop.ready, loop.epoll_fd, loop.timers, loop.transports) == (None, None, [], [])


def test_the_kernel_says_that_it_rests() -> None:
    """No frame of Python shows the selector of a uvloop: the thread's system call does, and nothing is found."""
    found = interpreters.find("3.11")
    if found is None:
        pytest.skip(interpreters.CURE["3.11"])
    with started(found) as patient:
        command = [sys.executable, "-m", "qqdiag", "inspect", str(patient.pid), "--interval", "0.2", "--json"]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=False, timeout=120).stdout)
    sample = told["snapshot"]["samples"][-1]
    (thread,) = (each for each in sample["process"]["threads"] if each["tid"] == patient.pid)
    assert thread["syscall"] in ("epoll_wait", "epoll_pwait")
    assert [(loop["opaque"], loop["running"]) for loop in sample["python"]["loops"]] == [(True, True)]
    assert {finding["id"] for finding in told["findings"]} <= {"never-completes"}, "it has such tasks, on any loop"
