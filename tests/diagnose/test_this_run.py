"""A log goes on over a restart: what an earlier run said in it is no failure of this one."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from built import ABSENT, NOW, sample, snapshot
from matrix_table import words
from msgspec.structs import replace

from qqdiag import signatures, waits
from qqdiag.collect.logs import logfile
from qqdiag.diagnose import diagnose
from qqdiag.finding import Match, Signature, Unknown
from qqdiag.lab.start import start
from qqdiag.model import Path as TargetPath
from qqdiag.model import Word
from qqdiag.profiles.hermes import PROFILE
from qqdiag.run import take
from qqdiag.signatures import connect_broken, events_lost, fatal_close, flapping, session_zombie
from qqdiag.snapshot import LogEvent, LogFile, Logs, Snapshot
from qqdiag.target import resolve
from qqdiag.waits import View
from qqdiag.waits.this_run import since

Line = tuple[str, float, list[float]]  # event, age, numbers
BEGUN = 10.0  # seconds ago
# Of each failure that a log alone may tell: what it then says.
FAILING: dict[Signature, list[Line]] = {
    connect_broken: [("connect-refused", 5.0 * number, []) for number in range(6, 0, -1)],
    events_lost: [
        one
        for age in (30.0, 20.0)
        for one in (
            ("closed", age, [4009.0]),
            ("session-cleared", age, [4009.0]),
            ("identified", age - 1, list[float]()),
        )
    ],
    fatal_close: [("closed", 30.0, [4914.0]), ("fatal", 29.0, [])],
    flapping: [
        one for age in range(30, 2, -3) for one in (("closed", age, [4000.0]), ("resumed", age - 1.0, list[float]()))
    ],
    session_zombie: [
        one
        for age in (8.0, 6.0, 4.0, 2.0)
        for one in (("resume-sent", age, [7.0]), ("error", age - 0.1, list[float]()))
    ],
}


def event(word: str, age: float, numbers: list[float]) -> LogEvent:
    return LogEvent(event=Word(word), age=age, level=Word("INFO"), numbers=numbers)


def told(lines: list[Line], process_age: float | None) -> Snapshot:
    """A log with these lines, of a gateway of which no more is seen."""
    events = [event(*line) for line in lines]
    file = LogFile(name=Word("gateway"), path=TargetPath("gateway.log"), size=1, age=1.0, events=events)
    logs = Logs(profile=Word("hermes"), files=[file], process_age=process_age)
    seen = [replace(sample(at=at), python=ABSENT, gateway=ABSENT) for at in (NOW - 1, NOW)]
    return replace(snapshot(*seen), logs=logs)


@pytest.mark.parametrize("signature", FAILING, ids=lambda one: str(one.ID))
def test_what_an_earlier_run_failed_by(signature: Signature) -> None:
    lines = FAILING[signature]
    assert isinstance(signature.match(View(told(lines, 1000.0))), Match)
    earlier: list[Line] = [(word, age + BEGUN, numbers) for word, age, numbers in lines]
    assert not isinstance(signature.match(View(told([*earlier, ("connected", BEGUN - 1, [])], BEGUN))), Match)


@pytest.mark.parametrize(
    "signature", [connect_broken, events_lost, flapping, session_zombie], ids=lambda one: str(one.ID)
)
def test_without_the_start_of_the_process_nothing_is_told_and_that_is_said(signature: Signature) -> None:
    seen = told(FAILING[signature], None)
    answer = signature.match(View(replace(seen, samples=[replace(one, process=ABSENT) for one in seen.samples])))
    assert isinstance(answer, Unknown)
    assert "when its process began is not known" in answer.lacks[0].reason.template


def test_events_are_read_in_one_place_alone() -> None:
    """Whoever takes them from the snapshot takes those of an earlier run too."""
    folders = [Path(str(module.__file__)).parent for module in (signatures, waits)]
    takes = {path.name for folder in folders for path in folder.glob("*.py") if "snapshot.logs" in path.read_text()}
    assert takes == {"this_run.py"}


def test_a_clock_that_was_set_back_makes_no_earlier_run_young() -> None:
    """By an hour, between the runs: by the clock as it is now, what was written before lies ahead, or is young."""
    ahead, young, own = event("gave-up", 0.0, []), event("gave-up", 50.0, []), event("connected", 900.0, [])
    last = event("ready", 899.0, [])
    assert since([ahead, own, last], 1000.0) == [own, last]
    assert since([young, own, last], 1000.0) == [own, last]
    assert since([own, last], 899.5) == [last]


@pytest.mark.parametrize("named", [True, False])
def test_the_hour_that_comes_twice(named: bool, tmp_path: Path) -> None:
    """02:20 in summer time, a restart at 02:10 in winter time, an hour and fifty minutes later by the true time.

    Where the zone has no name, the file tells of winter alone: 02:20 seems to have been ten minutes ago.
    """
    zone, end = ZoneInfo("Europe/Berlin"), datetime.datetime(2026, 10, 25, 1, 30, tzinfo=datetime.UTC)
    form = "2026-10-25 {},000 INFO gateway.platforms.qqbot.adapter: [QQBot:1] {}\n"
    lines = [("02:20:00", "Connected"), ("02:15:00", "Connected"), ("02:30:00", "Session resumed")]
    log = tmp_path / "gateway.log"
    log.write_text("".join(form.format(*line) for line in lines))
    os.utime(log, (end.timestamp(),) * 2)
    with log.open("rb") as file:
        seen = logfile.read(file.fileno(), "gateway", str(log), PROFILE, zone if named else None, end.timestamp())
    assert [one.age for one in seen.events] == [4200.0 if named else 600.0, 900.0, 0.0]
    assert since(seen.events, 1200.0) == seen.events[1:]


@pytest.mark.lab
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
def test_a_gateway_that_was_started_again_is_well(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log that a really failing gateway wrote, with that of its healthy successor behind it."""
    monkeypatch.setenv("TZ", zone)
    with start("flapping", bound=60) as first:
        failing = diagnose(take(resolve(str(first.pid)), interval=0.3))
        assert [one.id for one in failing.findings] == ["flapping"], words(failing)
        earlier = log_of(first.pid).read_text()
    with start("session-resumed", bound=60) as second:
        log = log_of(second.pid)
        with log.open("r+") as file:
            own = file.read()
            file.seek(0)
            file.write(earlier + own)
        seen = take(resolve(str(second.pid)), interval=0.3)
        assert diagnose(seen).verdict == "clear", words(diagnose(seen))
        assert isinstance(seen.logs, Logs)
        both = diagnose(replace(seen, logs=replace(seen.logs, process_age=1000.0)))
        assert "flapping" in [one.id for one in both.findings], words(both)


def log_of(pid: int) -> Path:
    """The log that a hosted gateway has open: it appends."""
    open_files = [Path(os.readlink(entry)) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return next(path for path in open_files if path.suffix == ".log")
