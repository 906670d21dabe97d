"""Cores of processes that really crash, as the kernel writes them: where, and what the others waited for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cores
import interpreters
import patients
import pytest
from patients import Patient
from test_core import python_of, said

from qqdiag.collect import core as core_files
from qqdiag.model import Missing
from qqdiag.snapshot import Python, Snapshot, Task

SIGNALS = {"segv": 11, "abort": 6}


def crashed(name: str, how: str, where: str, folder: Path) -> tuple[Patient, Snapshot, Path]:
    """A program that has crashed, and what its core says."""
    try:
        cores.check_kernel()
    except cores.NotHere as error:
        pytest.skip(str(error))
    found = interpreters.find(name)
    if found is None:
        pytest.skip(interpreters.CURE[name])
    with (
        cores.place(found.path, folder) as (python, inside, root),
        patients.start(python, "crashing.py", how, where, folder=inside, before=cores.allow) as patient,
    ):
        patient.truth["thread"] = int(patient.hear())
        patient.tell("")
        core = cores.kept_by_kernel(patient, inside, root)
        return patient, core_files.collect(core, None if root == Path("/") else root), core


def stacks(python: Python) -> dict[int | None, list[str]]:
    return {
        thread.native_id: [python.codes[frame.code].qualname.reveal() for frame in thread.frames]
        for thread in python.threads
    }


@pytest.mark.parametrize("where", ["task", "thread"])
@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("name", ["3.9", "3.12", "3.14"])
def test_where_it_crashed(name: str, how: str, where: str, tmp_path: Path) -> None:
    patient, snapshot, _ = crashed(name, how, where, tmp_path)
    python = python_of(snapshot)
    process = snapshot.samples[0].process
    assert isinstance(process, Missing)
    assert f"ended by signal {SIGNALS[how]} in thread {patient.truth['thread']}" in said(process.reason)
    assert (patient.truth["thread"] == patient.pid) == (where == "task")
    (crashes,) = (task for task in python.tasks if task.name.reveal() == "crashes")
    names = [level.name.reveal() for level in crashes.chain]
    frames = stacks(python)
    native = patient.truth["thread"] if python.threads[0].native_id else None
    inner = ["crash"] if how == "abort" else ["string_at", "crash"]
    if where == "task":
        assert (crashes.state.reveal(), names) == ("running", ["crashes", "handles"])
        assert frames[native][: len(inner) + 2] == [*inner, "handles", "crashes"]
        assert [loop.current_task for loop in python.loops] == [crashes.address]
    else:
        assert (crashes.state.reveal(), names[0]) == ("pending", "crashes")
        assert crashes.leaf is not None
        assert (crashes.leaf.kind.reveal(), crashes.leaf.thread) == ("executor", native)
        assert frames[native][: len(inner)] == inner
    others = [task for task in python.tasks if task.address in patient.truth["tasks"]]
    assert [task.chain[0].name.reveal() for task in others] == ["serves"] * 3


@pytest.mark.parametrize("name", ["3.11", "3.14", "3.15"])
def test_what_gcore_leaves_of_a_task_that_runs(name: str, tmp_path: Path) -> None:
    """gdb before 18 leaves out the stacks of threads behind a guard page of glibc 2.42. Python's frames lie elsewhere:
    the thread's are there down to its first call of C, and the task's coroutines by what each awaits. Both are said to
    be cut."""
    found = interpreters.find(name)
    if found is None:
        pytest.skip(interpreters.CURE[name])
    if shutil.which("gcore") is None:
        pytest.skip("install gcore: apt-get install gdb")
    with patients.start(found.path, "crashing.py", "segv", "loop") as patient:
        patient.hear()
        live = patients.read_until(
            patient.pid, lambda python: any("crash" in names for names in stacks(python).values())
        )
        core = cores.by_gcore(patient, tmp_path)
    python = python_of(core_files.collect(core))
    core.unlink()
    (was,), (crashes,) = ([task for task in each.tasks if task.name.reveal() == "crashes"] for each in (live, python))
    assert levels(live, was) == [("running", "crashes"), ("running", "handles")]
    (thread,) = (thread for thread in python.threads if thread.loop == crashes.loop)
    frames, whole = stacks(python)[thread.native_id], stacks(live)[thread.native_id]
    assert frames == whole[: len(frames)]
    assert frames[:2] == ["crash", "below_c"]
    holes = [said(doubt) for doubt in python.doubts if "zeros where stacks were" in doubt.template]
    assert thread.truncated == (frames != whole) == bool(holes)
    assert levels(python, crashes) == levels(live, was)
    assert [level.line for level in crashes.chain] == [level.line for level in was.chain]
    if holes:
        assert [said(doubt) for doubt in crashes.doubts] == ["The task runs, but no thread's stack has its coroutine."]
        assert frames == ["crash", "below_c"]
    else:
        assert frames[2:4] == ["handles", "crashes"]
        assert not crashes.doubts


def levels(python: Python, task: Task) -> list[tuple[str, str]]:
    return [(task.state.reveal(), level.name.reveal()) for level in task.chain]


def test_the_command(tmp_path: Path) -> None:
    patient, _, core = crashed("3.12", "segv", "task", tmp_path)
    told = subprocess.run(
        [sys.executable, "-m", "qqdiag", "inspect", str(core)], capture_output=True, text=True, timeout=60, check=False
    )
    assert f"ended by signal 11 in thread {patient.pid}" in told.stdout, told.stderr
