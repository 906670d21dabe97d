"""Since when a task waits, by the process's own clock, and what the report says of it."""

from __future__ import annotations

import re
import subprocess
import sys

import patients
import pytest
from interpreters import Interpreter

KNOWN = {"sleep", "wait_for", "wait"}  # asyncio keeps the delay of their timers


def test_a_wait_with_a_timer_began_when_the_process_says(interpreter: Interpreter) -> None:
    with patients.start(interpreter.path, "aging.py") as patient:
        python = patients.read(patient.pid)
    tasks = {str(task.address): task for task in python.tasks}
    for address, (kind, before, after) in patient.truth["tasks"].items():
        leaf = tasks[address].leaf
        assert leaf is not None
        if kind in KNOWN:
            assert leaf.began_at is not None, kind
            assert before - 1e-6 <= leaf.began_at <= after + 1e-6, kind
        else:
            assert leaf.began_at is None, kind
    scoped = [int(address) for address, (kind, _, _) in patient.truth["tasks"].items() if kind == "scope"]
    woken = {address for loop in python.loops for timer in loop.timers for address in timer.wakes}
    assert set(scoped) <= woken


@pytest.mark.parametrize("how", ["idle", "busy"])
def test_the_report_says_how_long(how: str) -> None:
    """A future of a loop that ran in between may be a new one at the same address: that is not called an age."""
    with patients.start(sys.executable, "aging.py", how) as patient:
        command = [sys.executable, "-m", "qqdiag", "inspect", str(patient.pid), "--interval", "0.3"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    assert re.search(r"sleeps, a timer ends it in 59 m \d+ s +for \d", shown), shown
    assert re.search(
        r"a timer cancels it in 9 m \d+ s \(Timeout._on_timeout\)\n +future_in .+\n +waits for Future", shown
    ), shown
    expected = "for at least" if how == "idle" else "at the same place as"
    assert re.search(rf"waits for Future \(pending\) +{expected} [\d.]+ m?s", shown), shown
