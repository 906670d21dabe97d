"""Task groups that are open while their owner does something else, as the process and its interpreter know it."""

from __future__ import annotations

import re
import subprocess
import sys

import patients
import pytest
from interpreters import Interpreter

from qqdiag.snapshot import Python


def started(python: Python) -> dict[str, list[int]]:
    return {str(task.address): sorted(task.started) for task in python.tasks if task.started}


def test_who_has_started_whom(interpreter: Interpreter) -> None:
    """Since 3.14 the interpreter itself keeps the edge from the other side."""
    if interpreter.version < (3, 11):
        return  # it has no TaskGroup
    with patients.start(interpreter.path, "grouped.py") as patient:
        python = patients.read(patient.pid)
    truth = {owner: sorted(tasks) for owner, tasks in patient.truth["started"].items()}
    if interpreter.version >= (3, 14):
        truth |= {patient.truth["completes"][0]: sorted(patient.truth["completes"][1:])}
    assert started(python) == truth
    tasks = {task.address: task for task in python.tasks}
    if interpreter.version >= (3, 14):
        for owner, members in truth.items():
            assert all(int(owner) in (tasks[member].awaited_by or ()) for member in members)


def test_groups_of_anyio() -> None:
    with patients.start(sys.executable, "grouped.py", "anyio") as patient:
        python = patients.read(patient.pid)
    assert started(python) == {owner: sorted(tasks) for owner, tasks in patient.truth["started"].items()}


@pytest.fixture(scope="module")
def report() -> str:
    with patients.start(sys.executable, "grouped.py") as patient:
        command = [sys.executable, "-m", "qqdiag", "inspect", str(patient.pid), "--interval", "0"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.parametrize(
    "pattern",
    [
        r"\n    in_the_body .+\n    forever .+\n    waits for Future .+\n"
        r"    nothing else refers .+\n    tasks in groups that it has not left: 3\n      Task-\d",
        r"\n      Task-\d+, pending\n        waits_for .+\n        wait .+\n        _wait .+\n"
        r"        waits for the task\n          Task-\d+, drawn above\n",
        r"\n    leaves .+\n    TaskGroup.__aexit__ .+\n    waits for the task\n      Task-\d+, pending  <== here\n",
        r"Task-1, running.*\n.+\n    runs .+\n    tasks in groups that it has not left: 1\n      Task-\d+, pending",
        r"\n  done, and something still refers to them: 1\n  Task-\d+, finished\n",
    ],
)
def test_the_report_draws_them(report: str, pattern: str) -> None:
    assert re.search(pattern, report), report
    assert "for ever" not in report
