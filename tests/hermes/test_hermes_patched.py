"""The real gateway with the diff applied goes through the faults that the unpatched one falls into (test_hermes_cases),
and does all else that it did."""

from __future__ import annotations

import signal
from pathlib import Path

import hermes_environment
import pytest
from hermes_patched import ADAPTER, FAULTS, SETTING, logged, packages_of, patched
from hermes_patient import Case, Patient, hermes

pytestmark = pytest.mark.hermes
READY = "Ready, session_id=|Session resumed"


@pytest.mark.parametrize("version", hermes_environment.VERSIONS)
def test_survives(version: str, tmp_path: Path) -> None:
    python = python_of(version)
    original = (packages_of(python) / ADAPTER).read_bytes()
    copied = patched(python, tmp_path / "patched")
    assert (packages_of(python) / ADAPTER).read_bytes() == original
    with hermes(Case("patched", converses, setting=SETTING), copied, tmp_path / "home") as patient:
        for fault in FAULTS:
            ready = logged(patient, READY)
            fault.throw(patient)
            fault.end(patient)
            patient.gateway.wait_log(READY, count=ready + 1)
            patient.server.until("one connection", lambda seen: seen["open"] >= 1)
            converses(patient)
        leaves(patient)


def test_the_original_keeps_the_same_contract(tmp_path: Path) -> None:
    python = python_of(hermes_environment.VERSION)
    with hermes(Case("original", converses, setting=SETTING), python, tmp_path / "home") as patient:
        patient.server.cut("fin")
        patient.gateway.wait_log("Session resumed")
        converses(patient)
        leaves(patient)


def python_of(version: str) -> Path:
    try:
        return hermes_environment.python_of(version)
    except hermes_environment.NotMade as error:
        pytest.skip(str(error))


def converses(patient: Patient) -> None:
    """A user's message is dispatched, and the answer is sent."""
    had = patient.server.seen()["answers"]
    patient.server.say("hello")
    patient.server.until("an answer", lambda seen: seen["answers"] > had)


def leaves(patient: Patient) -> None:
    """SIGTERM disconnects it in order."""
    patient.gateway.process.send_signal(signal.SIGTERM)
    patient.gateway.process.wait(timeout=30)
    assert "Disconnected" in patient.gateway.log()
