"""The numbers at which the verdict on a refused connect() turns, and the words by which an interpreter refuses one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from built import ABSENT, NOW, sample, snapshot
from msgspec.structs import replace

from qqdiag.finding import Finding, Match, NoMatch, Unknown
from qqdiag.model import Path, Word
from qqdiag.profiles.hermes import PROFILE
from qqdiag.signatures import connect_broken
from qqdiag.snapshot import LogEvent, LogFile, Logs, PlatformState, Snapshot, StateFile
from qqdiag.waits import View

UPTIME = 100.0  # seconds, of `built.process`


class Platform:
    """Each method is called in a way that it does not take."""

    def connect(self) -> None: ...


class Needy:
    def connect(self, first: str, *, second: str) -> None: ...


REFUSED: dict[str, Callable[[Any], object]] = {
    "a keyword": lambda one: one.connect(is_reconnect=False),
    "an argument": lambda one: one.connect(False),
    "nothing": lambda _: Needy().connect(),  # type: ignore[call-arg]
    "less than it needs": lambda _: Needy().connect("a"),  # type: ignore[call-arg]
    "the same twice": lambda _: Needy().connect("a", first="b", second="c"),  # type: ignore[misc]
}


def event_of(message: str) -> str | None:
    """The word of the first phrase that fits, as when a log is read."""
    known = [one for one in PROFILE.phrases if "gateway.run".startswith(one.logger)]
    return next((one.event for one in known if re.search(one.pattern, message)), None)


@pytest.mark.parametrize("called_with", REFUSED)
@pytest.mark.parametrize("said", ["✗ qqbot error: {}", "Reconnect qqbot error: {}, next retry in 60s"])
def test_what_the_interpreter_says_is_known(called_with: str, said: str) -> None:
    with pytest.raises(TypeError) as raised:
        REFUSED[called_with](Platform())
    assert event_of(said.format(raised.value)) == "connect-refused"


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ("✗ qqbot error: qqbot connect timed out after 30s", "connect-failed"),
        ("✗ qqbot error: [Errno 111] Connect call failed ('127.0.0.1', 1)", "connect-failed"),
        ("✗ qqbot failed to connect", "connect-failed"),
        ("Reconnect qqbot failed, next retry in 30s", "connect-failed"),
        ("✗ qqbot error: other() got an unexpected keyword argument 'x'", "connect-failed"),  # inside of connect
        ("qqbot paused after 10 consecutive failures (failed to reconnect) — fix the underlying issue", None),
        ("qqbot paused after 10 consecutive failures (A.connect() takes 1 argument) — fix", "connect-given-up"),
        ("✓ qqbot connected", None),
    ],
)
def test_its_look_alikes(message: str, event: str | None) -> None:
    assert event_of(message) == event


def trying(*lines: tuple[str, float], pid: int = 1) -> Snapshot:
    """A gateway with this log (event, age), and a platform that is to be tried again."""
    events = [LogEvent(event=Word(word), age=age, level=Word("ERROR")) for word, age in lines]
    file = LogFile(name=Word("agent"), path=Path("agent.log"), size=1, age=1.0, events=events)
    later = PlatformState(name=Word("qqbot"), state=Word("retrying"), error=None, age=1.0)
    state = StateFile(
        path=Path("state"), age=1.0, pid=pid, start_ticks=1, gateway_state=Word("running"), platforms=[later]
    )
    logs = Logs(profile=Word("hermes"), files=[file], state=state)
    return replace(snapshot(sample(at=NOW - 1), sample()), logs=logs)


def found(seen: Snapshot) -> Finding | None:
    answer = connect_broken.match(View(seen))
    assert not isinstance(answer, Unknown)
    return answer.findings[0] if isinstance(answer, Match) else None


@pytest.mark.parametrize(("refused", "matches"), [(0, False), (1, True), (3, True)])
def test_one_call_that_never_began_is_enough(refused: int, matches: bool) -> None:
    lines = [("connect-failed", 50.0)] * 5 + [("connect-refused", 40.0)] * refused
    assert (found(trying(*lines)) is not None) == matches


def test_another_run_of_it_had_other_code() -> None:
    assert found(trying(("connect-refused", UPTIME - 1))) is not None
    assert found(trying(("connect-refused", UPTIME + 1))) is None


@pytest.mark.parametrize(("pid", "told"), [(1, True), (2, False)])
def test_a_state_file_of_another_process_is_no_evidence(pid: int, told: bool) -> None:
    finding = found(trying(("connect-refused", 50.0), pid=pid))
    assert finding is not None
    assert any("state file" in one.text.template for one in finding.evidence) == told


def test_without_the_log_it_is_unknown() -> None:
    assert isinstance(connect_broken.match(View(replace(trying(), logs=ABSENT))), Unknown)
    assert isinstance(connect_broken.match(View(replace(trying(), logs=None))), NoMatch)
