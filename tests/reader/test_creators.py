"""Where a task was created, and what the threads are called, as the process itself knows it."""

from __future__ import annotations

import subprocess
import sys

import patients
from interpreters import Interpreter
from patients import Patient

from qqdiag.snapshot import Python, Task


def place(task: Task) -> list[list[object]]:
    created = task.created
    return [] if created is None else [[created.path.reveal(), created.line, created.name.reveal()]]


def differing(patient: Patient, python: Python) -> list[object]:
    """The tasks of which the reader says something else than the process."""
    truth = patient.truth["tasks"]
    assert {str(task.address) for task in python.tasks} == truth.keys()
    return [
        (task.chain[0].name.reveal(), place(task), truth[str(task.address)])
        for task in python.tasks
        if place(task) != truth[str(task.address)]["place"]
    ]


def test_debug_mode_keeps_the_place(interpreter: Interpreter) -> None:
    with patients.start(interpreter.path, "created.py", "debug") as patient:
        python = patients.read(patient.pid)
    assert differing(patient, python) == []
    assert sum(task.created is not None for task in python.tasks) >= 6
    assert {str(thread.native_id): thread.name and thread.name.reveal() for thread in python.threads} == (
        patient.truth["names"]
    )


def test_without_it_nothing_is_said(interpreter: Interpreter) -> None:
    with patients.start(interpreter.path, "created.py") as patient:
        python = patients.read(patient.pid)
    assert all((task.created, task.creator, task.created_at) == (None, None, None) for task in python.tasks)


def test_a_monitor_keeps_the_creator_too() -> None:
    with patients.start(sys.executable, "created.py", "monitored") as patient:
        python = patients.read(patient.pid)
        command = [sys.executable, "-m", "qqdiag", "inspect", str(patient.pid), "--interval", "0"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    truth = patient.truth["tasks"]
    tasks = [task for task in python.tasks if str(task.address) in truth]
    assert sum(task.creator is not None for task in tasks) >= 5
    for task in tasks:
        told = truth[str(task.address)]
        assert (place(task), task.creator, task.created_at) == (told["place"], told["creator"], told["at"])
        assert task.created_at is None or 0 <= patient.truth["now"] - task.created_at < patients.START
    assert "s ago by Task-1 at reader/created.py:" in shown
