"""Every gateway of the lab, plain and under TLS and under other names, against every signature.

The lab's gateway has no profile: what is found rests on the interpreter, the libraries and the kernel alone. The
hosted one has, for what a profile alone can tell.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import psutil
import pytest
from ahead import ahead
from matrix_table import ROW, grave, row, words
from msgspec.structs import replace
from renamed import start_renamed

from qqdiag.diagnose import diagnose
from qqdiag.finding import Diagnosis
from qqdiag.lab.case import Case
from qqdiag.lab.start import Running, case_of, cases, start
from qqdiag.model import Missing, Say
from qqdiag.run import take
from qqdiag.snapshot import Python, Snapshot
from qqdiag.target import resolve
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
# What may be said instead where no memory could be read: which of the two it is, takes the stack.
OUTSIDE = {"hot-loop": {"loop-spinning"}}
ALONE = ("busy",)  # judged before others run beside it: how much CPU it gets is what makes it busy
RUNNING = ("busy", "hot-loop", "loop-spinning")  # it computes: on a crowded machine it may not stand still in time
GONE = Missing(Say("it was taken away by a test"), Say("give it back"))


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
    snapshot: Snapshot
    diagnosis: Diagnosis
    seconds: float


def look(key: tuple[str, str]) -> Looked:
    """Start a case, and look at it as `qqdiag inspect` does."""
    id, kind = key
    begin = start_renamed if kind == "renamed" else start
    with begin(id, tls=kind == "tls") as running:
        began = time.monotonic()
        snapshot = take(resolve(str(running.pid)), interval=1.0)
        diagnosis = diagnose(snapshot)
        assert psutil.pid_exists(running.pid)
        return Looked(running, snapshot, diagnosis, time.monotonic() - began)


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
def test_verdict(id: str, kind: str, looked: Callable[[tuple[str, str]], Looked], record_property: Record) -> None:
    case = case_of(id)
    if (case.own_network or case.stalled) and os.geteuid() != 0:
        pytest.skip("run the tests as root: the case needs a namespace of its own")
    running, snapshot, diagnosis, seconds = looked((id, kind))
    assert running.state["outside"]
    assert running.state["inside"].keys() == {name for name, _ in case.facts}
    record_property(ROW, row(f"{id} {kind}", diagnosis, seconds))
    must, may = accepted(case)
    found = grave(diagnosis)
    assert found <= must | may, words(diagnosis)
    assert bool(found & must) == (not case.healthy), words(diagnosis)
    torn = View(snapshot).torn  # a busy target may change while it is read, and then the verdict says so
    assert diagnosis.verdict == ("matched" if not case.healthy else "unknown" if torn else "clear"), words(diagnosis)
    assert not torn or case.id in RUNNING, words(diagnosis)
    for name, less in without_evidence(snapshot).items():
        assert_not_wrong(case, name, less)


def without_evidence(snapshot: Snapshot) -> dict[str, Snapshot]:
    """The snapshot with one thing taken away at a time."""
    found = {"second sample": replace(snapshot, samples=snapshot.samples[-1:]), "logs": replace(snapshot, logs=GONE)}
    for section in ("process", "sockets", "python", "gateway"):
        samples = [replace(sample, **{section: GONE}) for sample in snapshot.samples]
        found[section] = replace(snapshot, samples=samples)
    closed = [replace(sample, python=GONE, gateway=GONE) for sample in snapshot.samples]
    found["memory"] = replace(snapshot, samples=closed, witness=GONE)
    last = snapshot.samples[-1]
    if isinstance(last.python, Python):
        uncounted = replace(last, python=replace(last.python, unreachable=None))
        found["references"] = replace(snapshot, samples=[*snapshot.samples[:-1], uncounted])
    return found


def assert_not_wrong(case: Case, name: str, snapshot: Snapshot) -> None:
    """With less evidence a verdict may be lost, and then it is said to be unknown: it is never another one."""
    must, may = accepted(case)
    diagnosis = diagnose(snapshot)
    text = f"without {name}: {words(diagnosis)}"
    instead = OUTSIDE.get(case.id, set()) if name in ("python", "memory") else set[str]()
    assert grave(diagnosis) <= must | may | instead, text
    if not case.healthy:
        assert diagnosis.verdict in ("matched", "unknown"), text
