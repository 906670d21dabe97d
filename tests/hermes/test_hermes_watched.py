"""loop-watchdog in the real gateway: a loop that stands still ends the process, and a service manager starts it again.

Without it the same states last for as long as anybody looks (test_hermes_cases, test_hermes_versions).
"""

from __future__ import annotations

from pathlib import Path

import hermes_environment
import pytest
from hermes_cases import PLAIN
from hermes_patient import Case, hermes, wait_beats
from hermes_watched import CODE, watched

pytestmark = pytest.mark.hermes
CASES = {case.id: case for case in PLAIN}


@pytest.mark.parametrize(("version", "id"), [("0.16.0", "hot-loop"), ("0.14.0", "blocked-in-pipe")])
def test_a_loop_that_stands_still_ends_the_process(version: str, id: str, tmp_path: Path) -> None:
    try:
        python = watched(hermes_environment.python_of(version), tmp_path / "watched")
    except hermes_environment.NotMade as error:
        pytest.skip(str(error))
    with hermes(CASES[id], python, tmp_path / "home") as patient:
        assert patient.gateway.process.wait(30) == CODE
        told = patient.gateway.output()
    if id == "blocked-in-pipe":  # its output is the pipe that nobody reads
        return
    assert "the event loop has not answered" in told
    assert "_listen_loop" in told
    with hermes(Case("again", lambda patient: wait_beats(patient, 3)), python, tmp_path / "home") as patient:
        assert patient.gateway.process.poll() is None
