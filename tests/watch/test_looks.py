"""What is remembered from one look to the next: a look that lacked evidence says nothing of what stood before it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from qqdiag.cpython.known import Known
from qqdiag.finding import Confidence, Diagnosis, Finding, Severity
from qqdiag.model import Say
from qqdiag.run import look
from qqdiag.snapshot import Sample
from qqdiag.target import live
from qqdiag.watch.looks import UNCLEAR, Looks

HANGS = Diagnosis(
    "matched",
    (Finding("hot-loop", Severity.HANG, Confidence.CERTAIN, Say("so"), Say("it spins"), (), fingerprint="1"),),
)
CLEAR, UNKNOWN = Diagnosis("clear", ()), Diagnosis("unknown", ())


@pytest.fixture(scope="module")
def sample() -> Iterator[Sample]:
    program = (
        "import asyncio, sys\nasync def main(): print(flush=True); await asyncio.Event().wait()\nasyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield look(live(running.pid), Known(), 5.0, pause=False)
        running.kill()


def test_a_look_that_lacks_evidence_ends_nothing(sample: Sample) -> None:
    looks = Looks()
    for diagnosis in (HANGS, *[UNKNOWN] * UNCLEAR, HANGS):
        looks.remember(sample, diagnosis)
        assert looks.standing == "1"
    assert (looks.times, looks.unclear) == (2, 0)


@pytest.mark.parametrize("after", [[CLEAR], [UNKNOWN] * (UNCLEAR + 1)])
def test_one_that_finds_nothing_does_and_so_do_many_that_lack_evidence(after: list[Diagnosis], sample: Sample) -> None:
    looks = Looks()
    for diagnosis in (HANGS, *after):
        looks.remember(sample, diagnosis)
    assert (looks.standing, looks.times, looks.unclear) == ("", 0, 0)


def test_before_anything_stands_it_is_told_as_it_is(sample: Sample) -> None:
    looks = Looks()
    looks.remember(sample, UNKNOWN)
    assert (looks.standing, looks.unclear) == ("", 0)
