"""Cores of processes that really crash, as the kernel writes them: where, and what the others waited for."""

from __future__ import annotations

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
from qqdiag.snapshot import Python, Snapshot

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


def test_the_command(tmp_path: Path) -> None:
    patient, _, core = crashed("3.12", "segv", "task", tmp_path)
    told = subprocess.run(
        [sys.executable, "-m", "qqdiag", "inspect", str(core)], capture_output=True, text=True, timeout=60, check=False
    )
    assert f"ended by signal 11 in thread {patient.pid}" in told.stdout, told.stderr
