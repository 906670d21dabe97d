"""The real gateway with the diff applied goes through the faults that the unpatched one falls into (test_hermes_cases),
and does all else that it did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import hermes_environment
import pytest
from hermes_contract import keeps_the_contract
from hermes_faults import FAULTS
from hermes_patched import ADAPTER, copy_of, packages_of, patched, subject_of
from hermes_patient import Case, Patient, hermes
from hermes_senders import WAIT, answer_after, seconds_of_send
from hermes_thrown import READY, SETTING, STOPPED, Fault, lies_ahead

pytestmark = pytest.mark.hermes


@pytest.mark.parametrize("version", hermes_environment.VERSIONS)
def test_survives(version: str, tmp_path: Path) -> None:
    python = python_of(version)
    original = (packages_of(python) / ADAPTER).read_bytes()
    copied = patched(python, tmp_path / "patched")
    assert (packages_of(python) / ADAPTER).read_bytes() == original
    with hermes(Case("patched", contracted, setting=SETTING), copied, tmp_path / "home") as patient:
        assert checked(patient) == (0, False)
        for fault in FAULTS:
            survives(patient, fault)
            converses(patient)
        thrown = answer_after(patient, 4014)
        thrown.wait(STOPPED)
        assert seconds_of_send(thrown) < WAIT, "nobody has to wait for a listener that has ended"
        leaves(patient)


def survives(patient: Patient, fault: Fault) -> None:
    """The fault is thrown, and the gateway says by itself that it has recovered."""
    fault.begin(patient)
    thrown, asked = lies_ahead(patient), patient.server.seen()["gateways"]
    fault.throw(patient)
    fault.met(thrown)
    if fault.returns is not None:
        fault.returns(patient)
    thrown.wait(fault.recovered)
    thrown.wait(READY)
    if fault.fixes == "url-cache":
        assert patient.server.seen()["gateways"] == asked
    fault.clean(patient)
    patient.server.until("one connection", lambda seen: seen["open"] >= 1)


def test_senders_of_the_original_wait(tmp_path: Path) -> None:
    """What the patched copies are spared, at the end of `test_survives`: all three at once, as each takes its time."""
    case = Case("original", lambda _: None, setting=SETTING)
    with ExitStack() as stack:
        thrown = []
        for version in hermes_environment.VERSIONS:
            patient = stack.enter_context(hermes(case, python_of(version), tmp_path / version))
            thrown.append(answer_after(patient, 4914))
        for one in thrown:
            assert WAIT <= seconds_of_send(one) < 2 * WAIT


def test_the_original_keeps_the_same_contract(tmp_path: Path) -> None:
    python = python_of(hermes_environment.VERSION)
    copied = copy_of(python, tmp_path / "copy")
    with hermes(Case("original", converses, setting=SETTING), copied, tmp_path / "home") as patient:
        assert checked(patient) == (1, False)
        os.utime(packages_of(copied) / ADAPTER)
        assert checked(patient) == (1, True)
        patient.server.cut("fin")
        patient.gateway.wait_log("Session resumed")
        converses(patient)
        leaves(patient)


def python_of(version: str) -> Path:
    try:
        return hermes_environment.python_of(version)
    except hermes_environment.NotMade as error:
        pytest.skip(str(error))


def contracted(patient: Patient) -> None:
    keeps_the_contract(subject_of(patient))


def converses(patient: Patient) -> None:
    """A user's message is dispatched, and answered."""
    subject = subject_of(patient)
    said = subject.asked()
    subject.until("an answer", lambda seen: said.answers(seen) > 0)


def checked(patient: Patient) -> tuple[int, bool]:
    """What `fixes check` says of the process: its exit code, and whether the file is newer."""
    command = [sys.executable, "-P", "-m", "qqdiag", "fixes", "check", str(patient.pid), "--json"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    told = json.loads(done.stdout)
    assert told["file"] == "gateway/platforms/qqbot/adapter.py"
    return done.returncode, told["newer_than_process"]


def leaves(patient: Patient) -> None:
    """SIGTERM disconnects it in order."""
    patient.gateway.process.send_signal(signal.SIGTERM)
    patient.gateway.process.wait(timeout=30)
    assert "Disconnected" in patient.gateway.log()
