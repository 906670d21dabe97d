"""The real gateway in each of its states, and the verdict: the accepted ids and nothing else above info."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import hermes_environment
import pytest
from hermes_cases import CASES
from hermes_looks import assert_accepted, assert_chains, assert_less, assert_unharmed, look
from hermes_patient import Case, hermes
from hermes_table import ROW, row

pytestmark = pytest.mark.hermes
Record = Callable[[str, object], None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_verdict(case: Case, hermes_python: Path, tmp_path: Path, record_property: Record) -> None:
    if case.root and os.geteuid() != 0:
        pytest.skip("run the tests as root: the case needs a namespace of its own")
    began = time.monotonic()
    with hermes(case, hermes_python, tmp_path / "home") as patient:
        reached = time.monotonic()
        snapshot, diagnosis = look(patient)
        told = time.monotonic()
        if case.id == "busy" and diagnosis.verdict == "unknown":  # its memory may outrun a copy, which is then said
            assert not diagnosis.findings
            snapshot, diagnosis = look(patient)
        record_property(ROW, row(hermes_environment.VERSION, case, diagnosis, reached - began, told - reached))
        assert_unharmed(case, patient)
    assert told - reached < 10
    assert_accepted(case, diagnosis)
    assert_chains(case, snapshot)
    assert_less(case, snapshot, diagnosis)
