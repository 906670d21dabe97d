"""Later versions of the real gateway, each in its own virtual environment: what they fall into, what they survive."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hermes_environment
import pytest
from hermes_cases import CASES
from hermes_looks import assert_accepted, assert_chains, assert_less, look
from hermes_patient import Case, hermes
from hermes_table import ROW, row
from hermes_versions import COURSES, Course
from matrix_table import ELSEWHERE

from qqdiag.snapshot import Snapshot
from qqdiag.versions import HAS, adapters, like
from qqdiag.waits import View

pytestmark = pytest.mark.hermes
Record = Callable[[str, object], None]


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.id)
def test_verdicts(course: Course, tmp_path: Path, record_property: Record) -> None:
    if any(stage.root for stage in course.stages) and os.geteuid() != 0:
        pytest.skip("run the tests as root: the case needs a namespace of its own")
    first, home = replace(course.stages[0], reach=lambda patient: None), tmp_path / "home"
    began = time.monotonic()
    with hermes(first, python_of(course.version), home) as patient:
        for stage in course.stages:
            stage.reach(patient)
            reached = time.monotonic()
            snapshot, diagnosis = look(patient)
            if View(snapshot).torn and not diagnosis.findings:  # on a crowded machine it may outrun a copy, and says so
                assert diagnosis.verdict == "unknown"
                snapshot, diagnosis = look(patient)
            told = time.monotonic()
            record_property(ROW, row(course.version, stage, diagnosis, reached - began, told - reached))
            assert patient.gateway.process.poll() is None
            assert_accepted(stage, diagnosis)
            assert_chains(stage, snapshot)
            assert_less(stage, snapshot, diagnosis)
            assert_source(course.version, stage, snapshot)
            began = told


def assert_source(version: str, stage: Case, snapshot: Snapshot) -> None:
    """What its source is said to have is what it was seen to fall into, and what it survives it is free of."""
    assert isinstance(snapshot.faults, list), snapshot.faults
    states = {row.fault.reveal(): row.state.reveal() for row in snapshot.faults}
    (source,) = adapters()
    edited = stage.id in ("heartbeat-dead", "silent-exit")  # as it was before the first of these versions
    assert (version in like(source, states)) == (not edited)
    has = {row.failure.reveal() for row in snapshot.faults if row.state.reveal() == HAS}
    known = {row.failure.reveal() for row in snapshot.faults}
    assert stage.accepted & known <= has
    if not stage.accepted and stage.id in known:
        assert stage.id not in has


def python_of(version: str) -> Path:
    try:
        return hermes_environment.python_of(version)
    except hermes_environment.NotMade as error:
        pytest.skip(str(error))


def test_what_no_lab_gateway_shows_is_shown_here() -> None:
    stages = [*CASES, *(stage for course in COURSES for stage in course.stages)]
    shown = {id for stage in stages for id in stage.accepted}
    assert {id for id, where in ELSEWHERE.items() if where == "tests/hermes"} <= shown
