"""The numbers at which the verdict on a resumed session turns, each beside its nearest look-alike."""

from __future__ import annotations

import pytest
from built import ABSENT, LISTENER, NOW, SOCKET, sample, snapshot, tcp, websocket
from msgspec.structs import replace

from qqdiag.diagnose import diagnose
from qqdiag.finding import Confidence, Finding, Match, NoMatch, Severity, Unknown
from qqdiag.model import Name, Path, Word
from qqdiag.signatures import session_zombie
from qqdiag.snapshot import Adapter, Attribute, Gateway, LogEvent, LogFile, Logs, Snapshot
from qqdiag.waits import View

SEQ = 7  # the event from which the session was resumed
UPTIME = 100.0  # seconds, of `built.process`
Line = tuple[str, float] | tuple[str, float, int]  # event, age, number


def logs(*lines: Line) -> Logs:
    events = [
        LogEvent(event=Word(line[0]), age=line[1], level=Word("INFO"), numbers=[float(number) for number in line[2:]])
        for line in lines
    ]
    file = LogFile(name=Word("gateway"), path=Path("gateway.log"), size=1, age=1.0, events=events)
    return Logs(profile=Word("hermes"), files=[file])


def resuming(*lines: Line, seq: int = SEQ, silent: bool = False) -> Snapshot:
    """A connected adapter whose last event was `seq`, with this log; `silent`: three beats without an answer."""
    info = tcp(last_data_sent=5.0, last_data_received=40.0 if silent else 4.98, segments_in=20)
    sequence = Attribute(name=Word("sequence"), present=True, number=float(seq))
    known = Adapter(
        profile=Word("hermes"),
        platform=Word("qqbot"),
        type=Name("QQAdapter"),
        address=300,
        attributes=[sequence],
        websocket=SOCKET,
        listener=LISTENER,
    )
    samples = []
    for at in (NOW - 1, NOW):
        one = sample(info, at=at, ws=websocket(send_period=10.0))
        assert isinstance(one.gateway, Gateway)
        samples.append(replace(one, gateway=replace(one.gateway, adapters=[known])))
    return replace(snapshot(*samples), logs=logs(*lines))


def found(seen: Snapshot) -> Finding | None:
    answer = session_zombie.match(View(seen))
    assert not isinstance(answer, Unknown)
    return answer.findings[0] if isinstance(answer, Match) else None


@pytest.mark.parametrize(("age", "severity"), [(19.0, Severity.DEGRADED), (21.0, Severity.HANG)])
def test_a_resume_without_an_answer(age: float, severity: Severity) -> None:
    finding = found(resuming(("ready", 90.0), ("resume-sent", age, SEQ)))
    assert finding is not None
    assert finding.severity is severity


def test_an_event_since_the_resume() -> None:
    """RESUMED itself has a number: what came is one event at least, even if the log's line is not written yet."""
    lines: tuple[Line, ...] = (("ready", 90.0), ("resume-sent", 60.0, SEQ))
    assert found(resuming(*lines, seq=SEQ)) is not None
    assert found(resuming(*lines, seq=SEQ + 1)) is None


@pytest.mark.parametrize("answer", ["resumed", "identified", "ready"])
def test_what_ends_a_resume(answer: str) -> None:
    assert found(resuming(("ready", 90.0), ("resume-sent", 60.0, SEQ), (answer, 59.0), seq=SEQ + 1)) is None


def test_a_peer_that_answers_nothing_is_another_failure() -> None:
    seen = resuming(("ready", 90.0), ("resume-sent", 60.0, SEQ), silent=True)
    assert found(seen) is None
    assert [one.id for one in diagnose(seen).findings] == ["missing-ack"]


@pytest.mark.parametrize(("count", "verdict"), [(2, None), (3, "session-zombie")])
def test_resumes_in_a_row_that_are_cut(count: int, verdict: str | None) -> None:
    lines: list[Line] = [("ready", 90.0)]
    for number in range(count):
        lines += [("resume-sent", 12.0 - 2 * number, SEQ), ("error", 11.9 - 2 * number)]
    finding = found(resuming(*lines))
    assert (finding.id if finding else None) == verdict


def test_resumes_with_events_between_them() -> None:
    """Each of them was replayed to for a while before it was cut: the service has the session."""
    lines: list[Line] = [("ready", 90.0)]
    for number in range(3):
        lines += [("resume-sent", 12.0 - 2 * number, SEQ + number), ("error", 11.9 - 2 * number)]
    assert found(resuming(*lines, seq=SEQ + 2)) is None


@pytest.mark.parametrize(("last", "ongoing"), [(59.0, True), (61.0, False)])
def test_a_row_that_has_ended(last: float, ongoing: bool) -> None:
    """Up to three of their pauses ago, here 20 s each."""
    lines: list[Line] = []
    for number in reversed(range(3)):
        lines += [("resume-sent", last + 20 * number, SEQ), ("error", last + 20 * number - 0.1)]
    seen = resuming(*lines)
    assert isinstance(seen.logs, Logs)
    assert (found(replace(seen, logs=replace(seen.logs, process_age=200.0))) is not None) == ongoing


def test_the_log_of_an_earlier_run_counts_for_nothing() -> None:
    assert found(resuming(("resume-sent", UPTIME - 1, SEQ))) is not None
    assert found(resuming(("resume-sent", UPTIME + 1, SEQ))) is None


@pytest.mark.parametrize(
    ("age", "seq", "told"), [(19.0, SEQ + 1, False), (21.0, SEQ + 1, True), (21.0, SEQ + 2, False)]
)
def test_a_silence_that_chance_does_not_explain(age: float, seq: int, told: bool) -> None:
    """An event a second before; RESUMED is one. It is a note and no more: nobody may have written."""
    lines: list[Line] = [
        ("resume-sent", 60.0, SEQ - 10),
        ("resumed", 60.0),
        ("resume-sent", 50.0, SEQ),
        ("resumed", 50.0),
    ]
    finding = found(resuming(*lines, ("resume-sent", age, SEQ), ("resumed", age), seq=seq))
    assert (finding is not None) == told
    if finding is not None:
        assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.POSSIBLE)
        assert [one.id for one in finding.alternatives] == ["idle"]


def test_from_the_log_alone_it_is_possible() -> None:
    seen = resuming(("ready", 90.0), ("resume-sent", 60.0, SEQ))
    blind = [replace(one, gateway=ABSENT, python=ABSENT) for one in seen.samples]
    finding = found(replace(seen, samples=blind))
    assert finding is not None
    assert (finding.severity, finding.confidence) == (Severity.DEGRADED, Confidence.POSSIBLE)


def test_without_the_log_it_is_unknown() -> None:
    seen = replace(resuming(), logs=ABSENT)
    assert isinstance(session_zombie.match(View(seen)), Unknown)
    assert isinstance(session_zombie.match(View(replace(seen, logs=None))), NoMatch)
