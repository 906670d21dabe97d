"""Drops in logs as hermes writes them: the period and the codes decide, and what followed."""

from __future__ import annotations

import datetime
import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from built import ABSENT, NOW, sample, snapshot
from matrix_table import words
from msgspec.structs import replace

from qqdiag.collect.logs import logfile
from qqdiag.collect.logs.history import Old
from qqdiag.diagnose import diagnose
from qqdiag.episodes import cycle, episodes, timeline
from qqdiag.finding import Confidence, Diagnosis, Finding, Match, NoMatch, Severity, Unknown
from qqdiag.model import Word
from qqdiag.profiles.hermes import PROFILE
from qqdiag.signatures import events_lost, flapping
from qqdiag.snapshot import Logs, Snapshot
from qqdiag.waits import View

LOGGER = "gateway.platforms.qqbot.adapter"
OLD = 1e5  # seconds: the process is older than all of its log
WALL = time.time()  # one moment for all that is written and looked at: a busy machine moves no period
CLOSED, ERROR = "WebSocket closed: code={} reason=x", "WebSocket error: WebSocket closed"


def text_of(period: float, count: int, last: float, lost: str, back: str = "Session resumed") -> str:
    """A log whose connection was lost so often, the last time so many seconds ago, and came back each time."""
    lines = []
    for number in range(count):
        age = last + (count - 1 - number) * period
        lines += [(age, "WARNING", lost), (age - 0.1, "INFO", "Reconnecting in 2s (attempt 1)...")]
        lines += [(age - 0.3 * min(period, last + 1), "INFO", back)]
    return "".join(line(*one) for one in lines)


def line(age: float, level: str, message: str) -> str:
    moment = datetime.datetime.fromtimestamp(WALL - age)
    return f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d} {level} {LOGGER}: [QQBot:1] {message}\n"


def look(text: str, folder: Path) -> Snapshot:
    path = folder / "gateway.log"
    path.write_text(text)
    written = datetime.datetime.strptime(text.splitlines()[-1][:23], PROFILE.time_format).timestamp()
    os.utime(path, (written, written))  # a log's zone is told by its last line and when that was written
    fd = os.open(path, os.O_RDONLY)
    try:
        file = logfile.read(fd, "gateway", str(path), PROFILE, None, WALL)
    finally:
        os.close(fd)
    assert file.events, "the log must be understood"
    logs = Logs(profile=Word(PROFILE.id), files=[file], process_age=OLD)
    return replace(snapshot(sample(at=NOW - 1), sample()), logs=logs)


def found(text: str, folder: Path) -> tuple[Diagnosis, list[Finding]]:
    diagnosis = diagnose(look(text, folder))
    return diagnosis, [one for one in diagnosis.findings if one.id == "flapping"]


@pytest.mark.parametrize(
    ("period", "lost", "severity", "template"),
    [
        (3.0, CLOSED.format(4000), Severity.DEGRADED, "a storm"),
        (62.0, ERROR, Severity.DEGRADED, "without a code"),
        (62.0, CLOSED.format(4009), Severity.DEGRADED, "is lost every"),  # cut on purpose: no idle limit
        (1800.0, CLOSED.format(4009), Severity.INFO, "how the platform does it"),
    ],
)
def test_the_period_tells_the_kind(period: float, lost: str, severity: Severity, template: str, tmp_path: Path) -> None:
    diagnosis, findings = found(text_of(period, 6, period / 2, lost), tmp_path)
    assert [one.severity for one in findings] == [severity], words(diagnosis)
    assert template in findings[0].summary.template
    assert diagnosis.verdict == ("clear" if severity is Severity.INFO else "matched")


@pytest.mark.parametrize(
    ("count", "last"),
    [
        (3, 30.0),  # too few to speak of a cycle
        (6, 400.0),  # it has ended: six periods without a drop
    ],
)
def test_drops_that_are_no_cycle(count: int, last: float, tmp_path: Path) -> None:
    diagnosis, findings = found(text_of(62.0, count, last, ERROR), tmp_path)
    assert findings == [], words(diagnosis)
    assert diagnosis.verdict == "clear"


def test_attempts_that_fail_are_no_drops(tmp_path: Path) -> None:
    failed = "".join(line(60 - 5 * number, "WARNING", "Reconnect failed: ConnectError") for number in range(10))
    _, findings = found(line(65, "WARNING", ERROR) + failed, tmp_path)
    assert findings == []


def test_an_hour_off_does_not_prolong_a_storm(tmp_path: Path) -> None:
    """Six drops, a night without the gateway, six more, then peace: long ago by their own measure."""
    before = text_of(3.0, 6, 40_000.0, CLOSED.format(4000)) + line(36_000.0, "INFO", "Connected")
    diagnosis, findings = found(before + text_of(3.0, 6, 600.0, CLOSED.format(4000)), tmp_path)
    assert findings == [], words(diagnosis)


def test_a_renewal_that_the_platform_asks_for(tmp_path: Path) -> None:
    """0.16 and later close by themselves at op 7, and the log has no close code then."""
    text = "".join(
        line(age, "INFO", "Server requested reconnect (op 7)")
        + line(age - 0.1, "WARNING", ERROR)
        + line(age - 2.5, "INFO", "Session resumed")
        for age in (7500.0, 5690.0, 3905.0, 2100.0, 300.0)
    )
    diagnosis, findings = found(text, tmp_path)
    assert [(one.severity, one.confidence) for one in findings] == [(Severity.INFO, Confidence.CERTAIN)]
    assert "how the platform does it" in findings[0].summary.template, words(diagnosis)


def test_drops_as_rare_as_renewals_are_not_said_to_be_any(tmp_path: Path) -> None:
    diagnosis, findings = found(text_of(1800.0, 5, 60.0, ERROR), tmp_path)
    assert [(one.severity, one.confidence) for one in findings] == [(Severity.INFO, Confidence.POSSIBLE)]
    assert "is renewed" not in findings[0].summary.template, words(diagnosis)


# As hermes-agent 0.14.0 writes it when the platform renews its connection, in seconds from the loss.
RENEWED = (
    (0.0, "WARNING", "WebSocket closed: code=4009 reason=Session timed out"),
    (0.0, "INFO", "Session error (4009), clearing session for re-identify"),
    (0.0, "INFO", "Reconnecting in 2s (attempt 1)..."),
    (2.1, "INFO", "Access token refreshed, expires in 7200s"),
    (2.4, "INFO", "WebSocket connected to wss://api.sgroup.qq.com/websocket"),
    (2.4, "INFO", "Reconnected"),
    (2.5, "INFO", "Identify sent"),
    (2.6, "INFO", "Ready, session_id=abc"),
)


def test_a_day_of_renewals_lies_in_rotated_logs(tmp_path: Path) -> None:
    """Half an hour apart, 48 times, over a log and two that were put aside, one of them packed."""
    ages = [600 + 1800 * number + number * 7 % 40 for number in range(48)]
    texts = ["".join(line(age - after, level, said) for age in reversed(part) for after, level, said in RENEWED)
             for part in (ages[:10], ages[10:30], ages[30:])]  # fmt: skip
    for name, text in zip(("gateway.log", "gateway.log.1", "gateway.log.2"), texts, strict=True):
        (tmp_path / name).write_text(text)
        written = datetime.datetime.strptime(text.splitlines()[-1][:23], PROFILE.time_format).timestamp()
        os.utime(tmp_path / name, (written, written))
    subprocess.run(["gzip", tmp_path / "gateway.log.2"], check=True)
    with ExitStack() as stack:
        names = ("gateway.log", "gateway.log.1", "gateway.log.2.gz")
        current, *others = [stack.enter_context((tmp_path / name).open("rb")) for name in names]
        older = [Old(file.name, file.name.endswith("gz"), file.fileno()) for file in others]
        seen = logfile.read(current.fileno(), "gateway", "gateway.log", PROFILE, None, WALL, older)
    logs = Logs(profile=Word(PROFILE.id), files=[seen], process_age=OLD)
    diagnosis = diagnose(replace(snapshot(sample(at=NOW - 1), sample()), logs=logs))
    (finding,) = (one for one in diagnosis.findings if one.id == "flapping")
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.CERTAIN)
    told = timeline(logs)
    assert told is not None
    assert told.cycle is not None
    assert (len(told.episodes), told.unread) == (48, 0)
    assert round(told.cycle.period / 60) == 30
    assert told.cycle.upper - told.cycle.lower < 60
    assert all(one.code == 4009 and one.gap == pytest.approx(2.6, abs=0.01) for one in told.episodes)


def test_the_period_has_a_spread(tmp_path: Path) -> None:
    ages = [500.0, 438.0, 377.0, 315.0, 195.0, 133.0, 71.0, 10.0]
    text = "".join(line(age, "WARNING", ERROR) + line(age - 3, "INFO", "Session resumed") for age in ages)
    logs = look(text, tmp_path).logs
    seen = cycle(logs.files[0].events) if isinstance(logs, Logs) else None
    assert seen is not None
    assert [round(value) for value in (seen.period, seen.lower, seen.upper, seen.shortest, seen.longest)] == [
        62, 62, 62, 61, 120,
    ]  # fmt: skip
    assert seen.held == pytest.approx(117, abs=1)


def test_each_loss_has_its_cause_and_its_gap(tmp_path: Path) -> None:
    text = (
        line(1000, "INFO", "Connected")
        + line(999, "INFO", "Ready, session_id=x")
        + line(900, "WARNING", CLOSED.format(4009))
        + line(900, "WARNING", ERROR)
        + line(899, "INFO", "Reconnecting in 2s (attempt 1)...")
        + line(897, "WARNING", "Reconnect failed: x")
        + line(896, "INFO", "Reconnecting in 5s (attempt 2)...")
        + line(890, "INFO", "WebSocket connected to wss://x")
        + line(889, "INFO", "Session resumed")
        + line(500, "WARNING", ERROR)
        + line(499, "INFO", "Reconnecting in 2s (attempt 1)...")
        + line(400, "INFO", "Connected")
        + line(399, "INFO", "Ready, session_id=y")
        + line(100, "WARNING", CLOSED.format("None"))
    )
    logs = look(text, tmp_path).logs
    assert isinstance(logs, Logs)
    first, second, third = episodes(logs.files[0].events)
    assert (first.cause.reveal(), first.code, first.attempts, first.back) == ("closed", 4009, 2, Word("resumed"))
    assert (round(first.held or 0), round(first.gap or 0)) == (99, 11)
    assert (second.cause.reveal(), second.code, second.back, second.gap) == ("error", None, None, None)
    assert round(second.held or 0) == 390
    assert (third.code, third.attempts, round(third.held or 0), third.gap) == (None, 0, 299, None)


def test_a_log_of_an_unknown_zone_is_no_log_without_drops(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    path.write_text(text_of(3.0, 6, 1.0, CLOSED.format(4000)))
    os.utime(path, (WALL - 400,) * 2)  # that tells no zone
    with path.open("rb") as file:
        seen = logfile.read(file.fileno(), "gateway", str(path), PROFILE, None, WALL)
    logs = Logs(profile=Word(PROFILE.id), files=[seen])
    answer = flapping.match(View(replace(snapshot(sample()), logs=logs)))
    assert isinstance(answer, Unknown)
    assert "zone" in answer.lacks[0].reason.template


def test_logs_that_may_not_be_read_are_no_logs_without_drops() -> None:
    logs = Logs(profile=Word(PROFILE.id), missing=[ABSENT])
    assert flapping.match(View(replace(snapshot(sample()), logs=logs))) == Unknown((ABSENT,))


def test_two_lines_of_one_drop_count_once(tmp_path: Path) -> None:
    text = "".join(
        line(age, "WARNING", CLOSED.format(4000))
        + line(age - 0.01, "WARNING", ERROR)
        + line(age - 1, "INFO", "Reconnected")
        for age in (9.0, 6.0, 3.0)
    )
    _, findings = found(text, tmp_path)
    assert findings == []


def test_logs_that_could_not_be_read_are_said() -> None:
    less = replace(snapshot(sample(at=NOW - 1), sample()), logs=ABSENT)
    assert isinstance(flapping.match(View(less)), Unknown)
    assert isinstance(flapping.match(View(snapshot(sample()))), NoMatch)  # no profile names any
    assert not isinstance(flapping.match(View(less)), Match)


CLEARED = "Session error ({}), clearing session for re-identify"


@pytest.mark.parametrize(
    ("code", "back", "count", "severity"),
    [
        (4009, "Identify sent", 1, Severity.INFO),
        (4009, "Identify sent", 2, Severity.DEGRADED),
        (4009, "Resume sent (session_id=s, seq=5)", 2, None),  # resumed: what was missed is sent again
        (4006, "Identify sent", 2, None),  # that session was gone
    ],
)
def test_what_follows_a_close_that_may_be_resumed(
    code: int, back: str, count: int, severity: Severity | None, tmp_path: Path
) -> None:
    text = "".join(
        line(age, "WARNING", CLOSED.format(code))
        + line(age - 0.01, "INFO", CLEARED.format(code))
        + line(age - 2, "INFO", back)
        for age in (4000.0, 2200.0)[:count]
    )
    answer = events_lost.match(View(look(text, tmp_path)))
    assert (answer.findings[0].severity if isinstance(answer, Match) else None) is severity


def test_without_logs_nothing_is_said_of_lost_events() -> None:
    assert isinstance(events_lost.match(View(replace(snapshot(sample()), logs=ABSENT))), Unknown)
