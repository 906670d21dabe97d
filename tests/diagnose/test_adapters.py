"""What a profile's attributes tell: real programs whose adapter has hermes' names, each in one state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from less_evidence import without_evidence
from matrix_table import words
from msgspec.structs import replace
from peers import websocket_server
from started import started

from qqdiag.diagnose import diagnose
from qqdiag.finding import Diagnosis, Severity
from qqdiag.model import Word
from qqdiag.run import take
from qqdiag.snapshot import Gateway, LogEvent, LogFile, Logs, Snapshot
from qqdiag.target import resolve

PATIENT = Path(__file__).with_name("adapters.py")
HANG, DEGRADED = Severity.HANG, Severity.DEGRADED
# What is found in each state, the cause first; a state that is well has nothing.
FOUND: dict[str, list[tuple[str, Severity]]] = {
    "beating": [],
    "heartbeat-dead": [("heartbeat-dead", DEGRADED)],
    "not-ready": [("not-ready", DEGRADED)],
    "send-waiting": [("dead-listener", HANG), ("send-waiting", DEGRADED)],
}


@pytest.fixture(scope="module")
def snapshots() -> Iterator[dict[str, Snapshot]]:
    """All states looked at one after the other, beside one server."""
    with websocket_server() as port:
        found = {}
        for state in FOUND:
            with started(PATIENT, state, port) as adapter:
                found[state] = take(resolve(str(adapter.pid)), interval=0.6)
        yield found


def graded(diagnosis: Diagnosis) -> list[tuple[str, Severity]]:
    return [(one.id, one.severity) for one in diagnosis.findings if one.severity is not Severity.INFO]


@pytest.mark.parametrize("state", FOUND)
def test_a_state(state: str, snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots[state]
    gateway = snapshot.samples[-1].gateway
    assert isinstance(gateway, Gateway)
    assert [one.profile.reveal() for one in gateway.adapters] == ["hermes"]
    diagnosis = diagnose(snapshot)
    assert graded(diagnosis) == FOUND[state], words(diagnosis)


@pytest.mark.parametrize("state", FOUND)
def test_with_less_evidence_it_is_no_other(state: str, snapshots: dict[str, Snapshot]) -> None:
    for name, less in without_evidence(snapshots[state]).items():
        diagnosis = diagnose(less)
        assert set(graded(diagnosis)) <= set(FOUND[state]), f"without {name}: {words(diagnosis)}"
        if FOUND[state]:
            assert diagnosis.verdict in ("matched", "unknown"), f"without {name}: {words(diagnosis)}"


def test_what_waits_is_a_consequence_of_who_does_not_listen(snapshots: dict[str, Snapshot]) -> None:
    found = {one.id: one for one in diagnose(snapshots["send-waiting"]).findings}
    assert found["send-waiting"].consequence_of == "dead-listener"


@pytest.mark.parametrize(("age", "severity"), [(19.0, DEGRADED), (21.0, HANG)])
def test_the_log_tells_how_long_a_session_was_waited_for(
    age: float, severity: Severity, snapshots: dict[str, Snapshot]
) -> None:
    event = LogEvent(event=Word("connected"), age=age, level=Word("INFO"))
    diagnosis = diagnose(replace(snapshots["not-ready"], logs=logs(event)))
    assert graded(diagnosis) == [("not-ready", severity)], words(diagnosis)


@pytest.mark.parametrize("state", FOUND)
def test_what_an_earlier_run_said_changes_nothing(state: str, snapshots: dict[str, Snapshot]) -> None:
    said = ("connected", "send-failed", "resume-sent", "reconnect-failed", "gave-up", "fatal")
    events = [LogEvent(event=Word(word), age=60.0 - at, level=Word("INFO")) for at, word in enumerate(said)]
    earlier, none = replace(logs(*events), process_age=30.0), replace(logs(), process_age=30.0)
    seen = [diagnose(replace(snapshots[state], logs=known)) for known in (earlier, none)]
    assert seen[0].findings == seen[1].findings
    if state == "not-ready":  # it would have been seen
        assert diagnose(replace(snapshots[state], logs=logs(*events))).findings != seen[0].findings


def logs(*events: LogEvent) -> Logs:
    from qqdiag.model import Path as TargetPath

    file = LogFile(name=Word("gateway"), path=TargetPath("gateway.log"), size=1, age=1.0, events=list(events))
    return Logs(profile=Word("hermes"), files=[file], process_age=1000.0)
