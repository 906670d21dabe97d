"""The numbers at which a verdict turns, each beside its nearest look-alike."""

from __future__ import annotations

import pytest
from built import LISTENER, NOW, leaf, level, row, sample, snapshot, task, tcp, timer, websocket
from matrix_table import words

from qqdiag.diagnose import diagnose
from qqdiag.finding import Match, NoMatch, Severity, Unknown
from qqdiag.model import Word
from qqdiag.signatures import close_hang, half_open, missing_ack
from qqdiag.waits import View, still
from qqdiag.waits.graph import timers_of
from qqdiag.waits.silence import unanswered
from qqdiag.waits.traffic import in_flight_for

PERIOD = 33.0  # seconds between the heartbeats of a real gateway


@pytest.mark.parametrize(
    ("sent", "received", "period", "count"),
    [
        (33.0, 32.98, PERIOD, 0),  # idle: the answer to the last heartbeat came a round trip later
        (0.01, 33.0, PERIOD, 1),  # a heartbeat is on its way
        (20.0, 53.0, PERIOD, 1),  # its answer is 20 s late
        (20.0, 86.2, PERIOD, 3),
        (5.0, 5.05, PERIOD, 0),  # a PONG right after its PING asks for nothing
        (5.0, 5.05, None, 0),
        (5.0, 60.0, None, 1),  # nobody knows how often it sends: only the last is certain
    ],
)
def test_sends_without_an_answer(sent: float, received: float, period: float | None, count: int) -> None:
    assert unanswered(tcp(last_data_sent=sent, last_data_received=received), period) == count


def test_silence_of_any_age_is_no_missing_ack() -> None:
    quiet = tcp(last_data_sent=3600.0, last_data_received=3599.98, last_ack_received=3599.98)
    assert isinstance(missing_ack.match(View(snapshot(sample(quiet)))), NoMatch)


def test_a_heartbeat_on_its_way_is_no_missing_ack() -> None:
    """The first heartbeat after a long sleep: by the period there would have been many, none was sent."""
    before = sample(tcp(last_data_sent=29.0, last_data_received=28.98), at=NOW - 1)
    now = sample(tcp(last_data_sent=0.01, last_data_received=29.98), ws=websocket(send_period=1.6))
    assert isinstance(missing_ack.match(View(snapshot(before, now))), NoMatch)


def test_what_is_not_delivered_is_no_missing_ack() -> None:
    silent = tcp(last_data_sent=5.0, last_data_received=60.0)
    ws = websocket(send_period=10.0)
    assert isinstance(missing_ack.match(View(snapshot(sample(silent, ws=ws)))), Match)
    for stuck in (row(silent, send_queue=10), row(tcp(last_data_sent=5.0, last_data_received=60.0, unacked=1))):
        assert isinstance(missing_ack.match(View(snapshot(sample(socket=stuck, ws=ws)))), NoMatch)


def test_a_peer_that_never_answered_is_no_hang() -> None:
    pushing = tcp(last_data_sent=1.5, last_data_received=600.0, segments_out=400, segments_in=2)
    answer = missing_ack.match(View(snapshot(sample(pushing, ws=websocket(send_period=1.6)))))
    assert isinstance(answer, Match)
    assert [finding.severity for finding in answer.findings] == [Severity.INFO]


@pytest.mark.parametrize(
    ("figures", "dead"),
    [
        ({"unacked": 1, "retransmits": 3, "backoff": 3, "rto": 1.6, "last_ack_received": 20.0}, True),
        ({"unacked": 1, "retransmits": 2, "backoff": 2, "rto": 0.8, "last_ack_received": 20.0}, False),  # loss
        ({"unacked": 0, "backoff": 9, "rto": 100.0}, False),  # a closed window is probed, nothing is in flight
    ],
)
def test_retransmissions_of_a_dead_path(figures: dict[str, float], dead: bool) -> None:
    answer = half_open.match(View(snapshot(sample(tcp(**figures)))))
    assert isinstance(answer, Match if dead else NoMatch)


def test_time_in_flight_comes_from_the_retransmission_timer() -> None:
    """0.2 + 0.4 + 0.8 s have passed when the timer stands at 1.6 s; the last ACK is older, because it was idle."""
    assert in_flight_for(tcp(rto=1.6, backoff=3, last_ack_received=500.0)) == pytest.approx(1.4)
    assert in_flight_for(tcp(rto=1.6, backoff=3, last_ack_received=1.2)) == pytest.approx(1.2)


CLOSING = websocket(closed=True, closing=True)


def close_by(deadline: float | None, sent: float, received: float, *more: float) -> View:
    """A close in aiohttp with a limit of 10 s, its timers due in so many seconds; our CLOSE went out `sent` ago."""
    closing = task(chain=[level(1)])
    times = [] if deadline is None else [deadline, *more]
    timers = [timer(NOW + seconds, LISTENER) for seconds in times]
    figures = tcp(last_data_sent=sent, last_data_received=received)
    samples = [sample(figures, at=at, tasks=[closing], timers=timers, ws=CLOSING) for at in (NOW - 1, NOW)]
    return View(snapshot(*samples))


@pytest.mark.parametrize(
    ("view", "severity"),
    [
        (close_by(7.0, 3.0, 60.0), Severity.INFO),  # bounded: the timer was set when the CLOSE went out
        (close_by(9.8, 5.0, 0.2), Severity.HANG),  # set anew 4.8 s after it, by what the peer sent 0.2 s ago
        (close_by(9.8, 25.0, 0.2), Severity.HANG),  # older than its limit
        (close_by(9.8, 25.0, 0.2, 30.0), Severity.INFO),  # the same inside a timeout that nothing sets anew
        (close_by(None, 1.0, 60.0), Severity.DEGRADED),  # no limit, and young
        (close_by(None, 60.0, 60.0), Severity.HANG),
    ],
)
def test_a_close_and_its_limit(view: View, severity: Severity) -> None:
    answer = close_hang.match(view)
    assert isinstance(answer, Match)
    assert [finding.severity for finding in answer.findings] == [severity]


def test_one_sample_of_a_young_close_is_not_enough() -> None:
    closing = task(chain=[level(1)])
    one = sample(tcp(last_data_sent=1.0, last_data_received=60.0), tasks=[closing], ws=CLOSING)
    assert isinstance(close_hang.match(View(snapshot(one))), Unknown)


def test_a_stopped_process_proves_no_hang() -> None:
    closing = task(chain=[level(1)])
    stopped = [sample(at=at, tasks=[closing], ws=CLOSING, state="T") for at in (NOW - 1, NOW)]
    assert isinstance(close_hang.match(View(snapshot(*stopped))), Unknown)


def test_a_timer_of_who_waits_for_a_task_ends_that_task_too() -> None:
    inner = task(20)
    outer = task(30, leaf=leaf(20, kind=Word("task"), task=20))
    beside = task(40, leaf=leaf(42, kind=Word("task"), task=20))  # wait_for up to 3.11: a future beside the task
    shielding = task(60, leaf=leaf(62, kind=Word("shield"), task=20))  # passes no cancellation on
    queueing = task(70, leaf=leaf(72, kind=Word("lock"), task=20))  # waits for a lock that the task holds
    tasks = [inner, outer, beside, shielding, queueing]
    timers = [timer(1.0, 30), timer(2.0, 42), timer(3.0, 60), timer(4.0, 70), timer(5.0, 99)]
    view = View(snapshot(sample(tasks=tasks, timers=timers)))
    assert [found.when_at for found in timers_of(view.graph, inner)] == [1.0, 2.0]


def test_a_gather_ends_when_each_of_its_children_does() -> None:
    gathering = task(50, leaf=leaf(51, kind=Word("gather"), children=[60, 70]))
    for timers, count in (([timer(1.0, 60)], 0), ([timer(1.0, 60), timer(2.0, 70)], 2)):
        view = View(snapshot(sample(tasks=[gathering], timers=timers)))
        assert len(timers_of(view.graph, gathering)) == count


def test_a_circle_of_tasks_ends() -> None:
    circle = [task(80, leaf=leaf(90, kind=Word("task"), task=90)), task(90, leaf=leaf(80, kind=Word("task"), task=80))]
    view = View(snapshot(sample(tasks=circle)))
    assert timers_of(view.graph, circle[0]) == []


def test_still_needs_two_samples_and_the_same_instruction() -> None:
    moved = task(chain=[level(0, address=2000)])
    assert still(View(snapshot(sample())), task()) is None
    assert still(View(snapshot(sample(at=NOW - 1), sample())), task()) is True
    assert still(View(snapshot(sample(at=NOW - 1), sample(tasks=[moved]))), moved) is False


def test_a_healthy_gateway_made_by_hand_is_clear() -> None:
    diagnosis = diagnose(snapshot(sample(at=NOW - 1), sample()))
    assert (diagnosis.findings, diagnosis.verdict) == ((), "clear"), words(diagnosis)
