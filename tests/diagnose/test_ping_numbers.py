"""The numbers at which a PING of the library without a PONG is a finding, each beside its nearest look-alike."""

from __future__ import annotations

from typing import Any

import pytest
from built import NOW, sample, snapshot, tcp, websocket

from qqdiag.finding import Finding, Match, NoMatch, Severity
from qqdiag.model import Word
from qqdiag.signatures import missing_ack
from qqdiag.snapshot import Snapshot
from qqdiag.waits import View

HANG, DEGRADED = Severity.HANG, Severity.DEGRADED


def pinging(age: float, *, count: int = 1, limit: float | None = 20.0, received: float | None = None) -> Snapshot:
    """A connection on which the first of `count` PINGs went out `age` seconds ago and nothing came since.

    `limit`: seconds that the library waits for the PONG. `received`: seconds since the last byte came in.
    """
    came = age + 5.0 if received is None else received
    info = tcp(last_data_sent=min(age, 3.0), last_data_received=came)
    shape: dict[str, Any] = {"ping_interval": 20.0, "ping_outstanding": True, "pings": count}
    shape |= {"pong_timeout": limit, "pong_timeout_known": True}
    samples = []
    for at in (NOW - 1, NOW):
        ws = websocket(library=Word("websockets"), ping_sent_at=NOW - age, **shape)
        samples.append(sample(info, at=at, ws=ws))
    return snapshot(*samples)


def found(seen: Snapshot) -> Finding | None:
    answer = missing_ack.match(View(seen))
    assert isinstance(answer, Match | NoMatch)
    return answer.findings[0] if isinstance(answer, Match) else None


@pytest.mark.parametrize(
    ("age", "limit", "late"),
    [
        (9.0, 20.0, False),  # on its way, or the peer is slow
        (11.0, 20.0, True),
        (1.9, 4.0, False),  # half of what the library gives it, where that is less than ten seconds
        (2.1, 4.0, True),
        (9.0, None, False),
        (11.0, None, True),
    ],
)
def test_a_pong_that_is_late(age: float, limit: float | None, late: bool) -> None:
    assert (found(pinging(age, limit=limit)) is not None) == late


@pytest.mark.parametrize(("count", "limit", "severity"), [(2, 20.0, DEGRADED), (1, None, DEGRADED), (2, None, HANG)])
def test_who_ends_it(count: int, limit: float | None, severity: Severity) -> None:
    """The library does, where it has a limit. Without one nobody does; of one PING the next one decides."""
    finding = found(pinging(11.0, count=count, limit=limit))
    assert finding is not None
    assert finding.severity is severity


@pytest.mark.parametrize(("received", "silent"), [(10.4, False), (10.6, True)])
def test_a_peer_that_sends_something_else_is_there(received: float, silent: bool) -> None:
    """A byte since the PING, by more than the half second between the reads of sockets and memory."""
    assert (found(pinging(11.0, count=3, limit=None, received=received)) is not None) == silent


def test_the_time_that_is_left_is_told() -> None:
    finding = found(pinging(11.0))
    assert finding is not None
    assert finding.because.values["left"] == pytest.approx(9.0)
