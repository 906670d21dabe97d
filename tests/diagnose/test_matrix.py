"""Every gateway of the lab, plain and under TLS and under other names, against every signature.

The lab's gateway has no profile: what is found rests on the interpreter, the libraries and the kernel alone. The
hosted one has, for what a profile alone can tell.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from ahead import ahead
from less_evidence import assert_not_wrong, cells, said, without_evidence
from matrix_table import ELSEWHERE, LESS, LESS_ROW, ROW, grave, row, words
from public import assert_public_says_as_much
from renamed import start_renamed

from qqdiag import capture
from qqdiag.diagnose import diagnose
from qqdiag.finding import Diagnosis
from qqdiag.lab.case import Case
from qqdiag.lab.start import Running, case_of, cases, start
from qqdiag.recording import Recording
from qqdiag.run import record
from qqdiag.signatures import signatures
from qqdiag.snapshot import Snapshot
from qqdiag.target import Live, resolve
from qqdiag.waits import View

pytestmark = pytest.mark.lab
Record = Callable[[str, object], None]
VERDICT = "test_verdict"

# By the case's id, or the first part of it: what must be found, any of them, and what may stand beside it.
ACCEPTED: dict[str, tuple[set[str], set[str]]] = {
    "hot-loop": ({"hot-loop"}, set()),
    "dead-listener": ({"dead-listener"}, set()),
    "missing-ack": ({"missing-ack"}, set()),
    "half-open": ({"half-open", "missing-ack"}, set()),  # behind a peer whose kernel answers they are the same
    "half-open-dead-path": ({"half-open"}, set()),
    "close-hang": ({"close-hang"}, set()),
    "close-hang-session": ({"close-hang"}, {"write-stuck"}),  # a handler is stuck in its send as well
    "write-stuck": ({"write-stuck"}, set()),
    "loop-blocked": ({"loop-blocked"}, set()),
    "reconnect-stuck": ({"reconnect-stuck"}, set()),
    "log-blocked": ({"log-blocked"}, set()),
    "session-zombie": ({"session-zombie"}, {"flapping"}),  # each Resume ends its connection
    "flapping": ({"flapping"}, set()),
    "connect-broken": ({"connect-broken"}, set()),
    "process-stopped": ({"process-stopped"}, set()),
    "await-deadlock": ({"await-deadlock"}, set()),
    "never-completes": ({"never-completes"}, set()),
    "executor-starved": ({"executor-starved"}, set()),
    "fd-exhausted": ({"fd-exhausted"}, set()),
    "loop-spinning": ({"loop-spinning"}, set()),
    "memory-growth": ({"memory-growth"}, set()),
    "disk-stall": ({"disk-stall"}, {"loop-blocked"}),  # which follows from it
    "disk-stall-thread": ({"disk-stall"}, set()),
    "startup-stuck": ({"startup-stuck"}, set()),
}
CAPTURED = "plain"  # of this kind each is written as a capture, and what is taken away is taken from that
ALONE = ("busy",)  # judged before others run beside it: how much CPU it gets is what makes it busy
RUNNING = ("busy", "hot-loop", "loop-spinning")  # it computes: on a crowded machine it may not stand still in time


def accepted(case: Case) -> tuple[set[str], set[str]]:
    """The longest name that the case's begins with. A healthy one accepts nothing."""
    names = [name for name in ACCEPTED if case.id.startswith(name)]
    return (set(), set()) if case.healthy else ACCEPTED[max(names, key=len)]


def runs() -> list[tuple[str, str]]:
    """(case, transport), and the failing ones once more under other names."""
    found = [(case.id, transport) for case in cases() for transport in case.transports]
    found.sort(key=lambda run: run[0] not in ALONE)
    failing = [case for case in cases() if not case.healthy and not case.any_program]
    return found + [(case.id, "renamed") for case in failing if not case.hosted]  # which is known by its names


class Looked(NamedTuple):
    """A case that was reached, and what was seen of it."""

    running: Running
    recording: Recording
    diagnosis: Diagnosis
    seconds: float


def look(key: tuple[str, str]) -> Looked:
    """Start a case, and look at it as `qqdiag inspect` does."""
    id, kind = key
    begin = start_renamed if kind == "renamed" else start
    with begin(id, tls=kind == "tls") as running:
        began = time.monotonic()
        target = resolve(str(running.pid))
        assert isinstance(target, Live)
        recording = record(target, interval=1.0, pages=kind == CAPTURED)
        diagnosis = diagnose(recording.snapshot)
        assert psutil.pid_exists(running.pid)
        return Looked(running, recording, diagnosis, time.monotonic() - began)


@pytest.fixture(scope="module")
def looked(request: pytest.FixtureRequest) -> Iterator[Callable[[tuple[str, str]], Looked]]:
    """What is seen of a case. A worker of pytest-xdist, which does not know what comes next, looks at one at a time."""
    here = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    shapes = [item.callspec.params for item in here if getattr(item, "originalname", "") == VERDICT]
    wanted = [(shape["id"], shape["kind"]) for shape in shapes if shape["id"] not in ALONE]
    if hasattr(request.config, "workerinput"):
        yield look
        return
    with ahead(wanted, look) as answer:
        yield lambda key: look(key) if key[0] in ALONE else answer(key)


@pytest.mark.parametrize(("id", "kind"), runs())
def test_verdict(
    id: str, kind: str, looked: Callable[[tuple[str, str]], Looked], tmp_path: Path, record_property: Record
) -> None:
    case = case_of(id)
    if (case.own_network or case.stalled) and os.geteuid() != 0:
        pytest.skip("run the tests as root: the case needs a namespace of its own")
    running, recording, diagnosis, seconds = looked((id, kind))
    snapshot = recording.snapshot
    assert running.state["outside"]
    assert running.state["inside"].keys() == {name for name, _ in case.facts}
    record_property(ROW, row(f"{id} {kind}", accepted(case)[0], diagnosis, seconds))
    must, may = accepted(case)
    found = grave(diagnosis)
    assert found <= must | may, words(diagnosis)
    assert bool(found & must) == (not case.healthy), words(diagnosis)
    torn = View(snapshot).torn  # a busy target may change while it is read, and then the verdict says so
    assert diagnosis.verdict == ("matched" if not case.healthy else "unknown" if torn else "clear"), words(diagnosis)
    assert not torn or case.id in RUNNING, words(diagnosis)
    if kind == CAPTURED:
        snapshot = captured(recording, tmp_path / "capture")
        again = diagnose(snapshot)
        assert (again.verdict, grave(again)) == (diagnosis.verdict, found), words(again)
    assert_public_says_as_much(snapshot, diagnosis)
    record_property(LESS_ROW, [f"{id} {kind}", said(diagnosis), *assert_all_less(case, snapshot)])


def test_there_are_enough_that_are_well() -> None:
    """Healthy, or alike to a failure: none of them may be taken for one."""
    assert sum(case.healthy for case in cases()) >= 12


def test_what_the_lab_does_not_show_is_shown_elsewhere() -> None:
    shown = {id for must, _ in ACCEPTED.values() for id in must}
    assert {one.ID for one in signatures()} - shown == set(ELSEWHERE)


def captured(recording: Recording, file: Path) -> Snapshot:
    """What a capture of it says: decoded again from its pages."""
    capture.write(file, recording)
    return capture.open(file)


def assert_all_less(case: Case, snapshot: Snapshot) -> list[str]:
    """What is said with a part of the evidence taken away, in the columns of the table."""
    lesser = without_evidence(snapshot).items()
    return cells(LESS, {name: assert_not_wrong(name, less, *accepted(case)) for name, less in lesser})
