"""The numbers at which the verdicts on any asyncio program turn, each beside its nearest look-alike."""

from __future__ import annotations

from typing import Any

import pytest
from built import ABSENT, LISTENER, NOW, SOCKET, leaf, level, sample, snapshot, task, tcp
from built import timer as timer_at
from msgspec.structs import replace

from qqdiag.diagnose import diagnose
from qqdiag.finding import Finding, Match, NoMatch, Severity, Unknown
from qqdiag.model import Missing, Name, Word
from qqdiag.signatures import (
    await_deadlock,
    executor_starved,
    fatal_close,
    fd_exhausted,
    heartbeat_dead,
    loop_spinning,
    never_completes,
    process_stopped,
    reconnect_stuck,
    reconnecting,
)
from qqdiag.snapshot import (
    Adapter,
    Attribute,
    Deep,
    Gateway,
    Process,
    Python,
    Snapshot,
    Task,
    Timer,
)
from qqdiag.waits import View
from qqdiag.waits.circles import circles

CONNECTING, SLEEPING, OWN = 3, 4, 5  # places in `built.CODES`
HANG, DEGRADED, INFO = Severity.HANG, Severity.DEGRADED, Severity.INFO
ADAPTER = 300


def both(**values: Any) -> Snapshot:
    return snapshot(sample(at=NOW - 1, **values), sample(**values))


def found(signature: Any, seen: Snapshot) -> Finding:
    answer = signature.match(View(seen))
    assert isinstance(answer, Match), answer
    return answer.findings[0]


def with_process(seen: Snapshot, *changes: dict[str, Any]) -> Snapshot:
    samples = []
    for one, change in zip(seen.samples, changes, strict=True):
        assert isinstance(one.process, Process)
        samples.append(replace(one, process=replace(one.process, **change)))
    return replace(seen, samples=samples)


# --- circles ---------------------------------------------------------------------------------------------------------


def waits_for(address: int, other: int, kind: str = "task") -> Task:
    held = {"lock": 900} if kind == "lock" else {}
    return task(address, leaf=leaf(other, kind=Word(kind), task=other, fd=None, **held))


CIRCLE = [waits_for(20, 30), waits_for(30, 40, "lock"), waits_for(40, 20)]


def test_a_circle_of_tasks_and_a_lock() -> None:
    finding = found(await_deadlock, both(tasks=[*CIRCLE, waits_for(50, 30), task(60)]))
    assert (finding.severity, finding.confidence.value) == (HANG, "certain")
    assert finding.tasks == (20, 30, 40)
    assert "1 more" in " ".join(
        one.text.template.format(count=1) for one in finding.evidence if "more" in one.text.template
    )


def test_a_task_that_waits_at_its_own_lock() -> None:
    assert found(await_deadlock, both(tasks=[waits_for(20, 20, "lock")])).tasks == (20,)


@pytest.mark.parametrize(
    "tasks",
    [
        [waits_for(20, 30), waits_for(30, 40, "lock"), task(40)],  # the last waits for a socket
        [*CIRCLE[:2], task(40, state=Word("finished"), leaf=None)],
        [task(20, leaf=leaf(30, kind=Word("wait"), children=[30])), waits_for(30, 20)],  # may end by another child
        [task(20, leaf=leaf(29, kind=Word("condition"), lock=900)), waits_for(30, 20)],
    ],
)
def test_waits_that_end_somewhere_are_no_circle(tasks: list[Task]) -> None:
    assert isinstance(await_deadlock.match(View(both(tasks=tasks))), NoMatch)


def test_a_gather_needs_each_of_its_children() -> None:
    tasks = [task(20, leaf=leaf(29, kind=Word("gather"), children=[99, 30])), waits_for(30, 20)]
    assert found(await_deadlock, both(tasks=tasks)).tasks == (20, 30)


def test_a_timer_breaks_a_circle() -> None:
    finding = found(await_deadlock, both(tasks=CIRCLE, timers=[timer_at(NOW + 5, 30)]))
    assert finding.severity is INFO
    assert diagnose(both(tasks=CIRCLE, timers=[timer_at(NOW + 5, 30)])).verdict == "clear"


def test_a_circle_that_was_not_there_before_is_moving() -> None:
    before = sample(at=NOW - 1, tasks=[task(20), task(30), task(40)])
    assert isinstance(await_deadlock.match(View(snapshot(before, sample(tasks=CIRCLE)))), NoMatch)


def test_one_sample_of_a_circle_is_enough_to_say_so() -> None:
    assert found(await_deadlock, snapshot(sample(tasks=CIRCLE))).confidence.value == "likely"


def test_a_circle_in_a_torn_reading_is_not_said() -> None:
    samples = [replace(one, python=replace(one.python, complete=False)) for one in both(tasks=CIRCLE).samples]
    assert isinstance(await_deadlock.match(View(replace(both(), samples=samples))), Unknown)


def test_two_circles_and_who_waits_for_each() -> None:
    tasks = [waits_for(20, 30), waits_for(30, 20), waits_for(40, 50), waits_for(50, 40), waits_for(60, 40)]
    seen = circles(View(both(tasks=tasks)))
    assert [[one.address for one in circle.tasks] for circle in seen] == [[20, 30], [40, 50]]
    assert [[one.address for one in circle.victims] for circle in seen] == [[], [60]]


# --- the process -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fds", "severity"),
    [(899, None), (900, DEGRADED), (999, DEGRADED), (1000, HANG), (1001, HANG)],
)
def test_descriptors_left(fds: int, severity: Severity | None) -> None:
    seen = with_process(both(), *[{"fds": fds, "fd_limit": 1000}] * 2)
    answer = fd_exhausted.match(View(seen))
    assert (answer.findings[0].severity if isinstance(answer, Match) else None) is severity


def test_descriptors_that_are_hidden_are_not_called_enough() -> None:
    assert isinstance(fd_exhausted.match(View(with_process(both(), *[{"fds": None}] * 2))), Unknown)
    assert isinstance(fd_exhausted.match(View(with_process(both(), *[{"fd_limit": None}] * 2))), NoMatch)


@pytest.mark.parametrize(
    ("states", "severity"),
    [
        (("T", "T"), HANG),
        (("t", "t"), HANG),
        (("S", "T"), DEGRADED),  # stopped a moment ago
        (("T", "S"), None),
        (("S", "D"), None),
    ],
)
def test_a_stop_in_both_looks(states: tuple[str, str], severity: Severity | None) -> None:
    seen = snapshot(sample(at=NOW - 1, state=states[0]), sample(state=states[1]))
    answer = process_stopped.match(View(seen))
    assert (answer.findings[0].severity if isinstance(answer, Match) else None) is severity


def test_a_tracer_that_lets_it_run_in_between_is_no_stop_for_good() -> None:
    seen = snapshot(sample(at=NOW - 1, state="t"), sample(state="t"))
    last = seen.samples[-1].process
    assert isinstance(last, Process)
    ran = [replace(thread, voluntary_switches=thread.voluntary_switches + 1) for thread in last.threads]
    assert found(process_stopped, with_process(seen, {}, {"threads": ran})).severity is DEGRADED


# --- the heap --------------------------------------------------------------------------------------------------------


def lost(deep: Deep | Missing | None, counted: list[int] | None = None, method: str = "frozen", **values: Any) -> Any:
    plain = task(leaf=leaf(LISTENER + 2, fd=None), chain=[level(OWN)])
    seen = both(tasks=[plain], **values)
    python = seen.samples[-1].python
    assert isinstance(python, Python)
    last = replace(seen.samples[-1], python=replace(python, unreachable=counted, method=Word(method)))
    return never_completes.match(View(replace(seen, deep=deep, samples=[seen.samples[0], last])))


def heap(*tasks: int, complete: bool = True) -> Deep:
    return Deep(objects=9, seconds=0.1, complete=complete, unreachable=list(tasks))


def test_a_future_without_a_holder() -> None:
    assert isinstance(lost(heap(LISTENER)), Match)
    assert isinstance(lost(heap()), NoMatch)
    assert isinstance(lost(heap(complete=False)), Unknown)
    assert isinstance(lost(ABSENT, []), NoMatch), "the last sample has counted them"


def test_a_listener_whose_future_may_be_lost_is_not_called_well() -> None:
    assert isinstance(lost(None), Unknown), "references were not counted"
    assert isinstance(lost(None, [LISTENER]), Match)
    assert isinstance(lost(None, []), NoMatch)
    assert isinstance(lost(None, [LISTENER], "double-read"), Unknown)
    assert isinstance(lost(None, timers=[timer_at(NOW + 5, LISTENER)]), NoMatch)
    assert isinstance(never_completes.match(View(both())), NoMatch)  # in the library's receive, with its socket


# --- threads and pools -----------------------------------------------------------------------------------------------


def job(state: str) -> Task:
    return task(20, leaf=leaf(22, kind=Word("executor"), job=Word(state), fd=None))


def test_a_job_that_nobody_begins() -> None:
    assert found(executor_starved, both(tasks=[job("pending")])).tasks == (20,)
    for before, now in (("pending", "running"), ("running", "running")):
        seen = snapshot(sample(at=NOW - 1, tasks=[job(before)]), sample(tasks=[job(now)]))
        assert isinstance(executor_starved.match(View(seen)), NoMatch)
    assert isinstance(executor_starved.match(View(snapshot(sample(tasks=[job("pending")])))), Unknown)
    assert isinstance(
        executor_starved.match(View(snapshot(sample(at=NOW - 1), sample(tasks=[job("pending")])))), NoMatch
    )


def spinning(*, switches: int, received: int, state: str = "R") -> Snapshot:
    """A loop whose thread had the CPU, in its selector when it was looked at; so many bytes came in the interval."""
    seen = snapshot(
        sample(tcp(bytes_received=1000), at=NOW - 1, state=state),
        sample(tcp(bytes_received=1000 + received), state=state),
    )
    last = seen.samples[-1].process
    assert isinstance(last, Process)
    thread = last.threads[0]
    used = replace(thread, user_seconds=1.5, voluntary_switches=thread.voluntary_switches + switches)
    return with_process(seen, {}, {"threads": [used]})


@pytest.mark.parametrize(
    ("switches", "received", "state", "matched"),
    [
        (3, 0, "R", True),
        (3, 1, "R", False),  # something came in: it may have had work to do
        (40, 0, "R", False),  # it slept in between
        (3, 0, "S", False),
    ],
)
def test_a_loop_that_never_rests(switches: int, received: int, state: str, matched: bool) -> None:
    answer = loop_spinning.match(View(spinning(switches=switches, received=received, state=state)))
    assert isinstance(answer, Match if matched else NoMatch)


def test_without_sockets_nothing_is_said_of_a_loop_that_never_rests() -> None:
    seen = spinning(switches=3, received=0)
    less = replace(seen, samples=[replace(one, sockets=ABSENT) for one in seen.samples])
    assert isinstance(loop_spinning.match(View(less)), Unknown)


# --- the way to a new connection -------------------------------------------------------------------------------------


def away(code: int, *timers: Timer, asked: float = 2.0, before: list[Timer] | None = None) -> Snapshot:
    """An adapter without a WebSocket, whose listener stands in `code`."""
    listener = task(chain=[level(code)])
    figures = tcp(last_data_sent=asked, last_data_received=asked)
    samples = []
    for at, due in ((NOW - 1, list(timers) if before is None else before), (NOW, list(timers))):
        one = sample(figures, at=at, tasks=[listener], timers=due)
        samples.append(replace(one, gateway=Gateway(profile=Word("hermes"), adapters=[adapter()])))
    return snapshot(*samples)


def adapter(*attributes: Attribute, **values: Any) -> Adapter:
    shape: dict[str, Any] = {"listener": LISTENER, "websocket": None}
    known = {"profile": Word("hermes"), "platform": Word("qqbot"), "type": Name("QQAdapter"), "address": ADAPTER}
    return Adapter(**{**known, **shape, **values}, attributes=list(attributes))


@pytest.mark.parametrize(
    ("timers", "asked", "severity"),
    [
        ([timer_at(NOW + 29, LISTENER)], 2.0, INFO),
        ([timer_at(NOW + 31, LISTENER)], 2.0, DEGRADED),
        ([], 2.0, DEGRADED),
        ([], 61.0, HANG),
    ],
)
def test_what_is_left_of_a_request(timers: list[Timer], asked: float, severity: Severity) -> None:
    assert found(reconnect_stuck, away(CONNECTING, *timers, asked=asked)).severity is severity


def test_a_limit_that_each_byte_sets_anew() -> None:
    seen = away(CONNECTING, timer_at(NOW + 29.9, LISTENER), before=[timer_at(NOW + 27, LISTENER)])
    assert found(reconnect_stuck, seen).severity is DEGRADED


def test_one_look_at_a_young_request_is_not_enough() -> None:
    seen = away(CONNECTING)
    assert isinstance(reconnect_stuck.match(View(replace(seen, samples=seen.samples[-1:]))), Unknown)


@pytest.mark.parametrize(("left", "severity"), [(4.0, INFO), (6.0, DEGRADED)])
def test_a_pause_before_the_next_attempt(left: float, severity: Severity) -> None:
    assert found(reconnecting, away(SLEEPING, timer_at(NOW + left, LISTENER))).severity is severity


def test_a_listener_asleep_with_its_connection_is_not_reconnecting() -> None:
    seen = away(SLEEPING, timer_at(NOW + 60, LISTENER))
    healthy = sample().gateway
    assert isinstance(healthy, Gateway)
    gateway = replace(healthy, adapters=[adapter(websocket=SOCKET)])
    samples = [replace(one, gateway=gateway) for one in seen.samples]
    assert isinstance(reconnecting.match(View(replace(seen, samples=samples))), NoMatch)


# --- adapters --------------------------------------------------------------------------------------------------------


def fatal(truth: bool) -> Attribute:
    return Attribute(name=Word("fatal"), present=True, truth=truth)


def with_adapter(one: Adapter, *tasks: Task, sent: float = 1.0) -> Snapshot:
    seen = both(info=tcp(last_data_sent=sent, last_data_received=sent), tasks=list(tasks))
    samples = []
    for each in seen.samples:
        assert isinstance(each.gateway, Gateway)
        samples.append(replace(each, gateway=replace(each.gateway, adapters=[one])))
    return replace(seen, samples=samples)


def test_a_fatal_error_is_kept_or_not() -> None:
    done = task(state=Word("finished"), leaf=None)
    finding = found(fatal_close, with_adapter(adapter(fatal(True)), done))
    assert (finding.severity, finding.confidence.value) == (HANG, "certain")
    assert found(fatal_close, with_adapter(adapter(fatal(True)), task())).severity is DEGRADED
    assert isinstance(fatal_close.match(View(with_adapter(adapter(fatal(False)), done))), NoMatch)


def test_who_gave_up_by_a_fatal_error_is_its_consequence() -> None:
    done = task(state=Word("finished"), leaf=None)
    findings = diagnose(with_adapter(adapter(fatal(True)), done)).findings
    assert [(one.id, one.consequence_of) for one in findings] == [
        ("fatal-close", None),
        ("dead-listener", "fatal-close"),
    ]


@pytest.mark.parametrize(("sent", "confidence"), [(47.0, "likely"), (49.0, "certain")])
def test_a_beat_that_was_left_out(sent: float, confidence: str) -> None:
    """At an interval of 40 s."""
    interval = Attribute(name=Word("heartbeat_interval"), present=True, number=40.0)
    one = adapter(interval, websocket=SOCKET, heartbeat=20)
    done, asleep = task(20, state=Word("finished"), leaf=None), task(20)
    assert found(heartbeat_dead, with_adapter(one, task(), done, sent=sent)).confidence.value == confidence
    assert isinstance(heartbeat_dead.match(View(with_adapter(one, task(), asleep, sent=sent))), NoMatch)
