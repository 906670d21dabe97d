"""The whole look at a target: two samples, everything in them, and the target as it was."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time

import pytest
from freeze_patients import HOT, LOOP, SLEEPING, Patient, running, state, tracer_of
from interpreters import Interpreter
from msgspec.structs import replace

from qqdiag import run
from qqdiag.collect import tasks
from qqdiag.cpython.known import Known
from qqdiag.errors import NotReadable, TargetGone
from qqdiag.memory.pause import Tracer
from qqdiag.model import Missing, TaskName, Word
from qqdiag.run import record, take
from qqdiag.snapshot import Gateway, Process, Python, Sample, Snapshot, Sockets
from qqdiag.target import Live, live

INSPECTIONS = 100


def names(sample: Sample) -> list[TaskName]:
    assert isinstance(sample.python, Python)
    return sorted((task.name for task in sample.python.tasks), key=TaskName.reveal)


def soon() -> float:
    return time.monotonic() + 20


def asked(patient: Patient) -> dict[str, object]:
    answer = json.loads(patient.ask("how are you"))
    assert isinstance(answer, dict)
    return answer


def test_two_samples() -> None:
    with running(LOOP, "5") as patient:
        steps: list[str] = []
        snapshot = take(live(patient.pid), 0.3, progress=steps.append)
        one, two = snapshot.samples
        assert 0.3 <= two.taken_at - one.taken_at < 10
        for sample in snapshot.samples:
            assert isinstance(sample.process, Process)
            assert isinstance(sample.sockets, Sockets)
            assert isinstance(sample.gateway, Gateway)
            assert isinstance(sample.python, Python)
            assert sample.python.method.reveal() in ("frozen", "asleep")
            assert sample.taken_at <= sample.python.taken_at <= two.taken_at + 10
            assert {TaskName(f"waiter-{number}") for number in range(5)} <= set(names(sample))
        assert snapshot.pause == sum(s.python.pause for s in snapshot.samples if isinstance(s.python, Python))
        assert steps[:4] == ["process", "sockets", "tasks", "interval"]


def test_one_sample() -> None:
    with running(LOOP, "1") as patient:
        assert len(take(live(patient.pid), 0).samples) == 1


def test_every_interpreter(interpreter: Interpreter) -> None:
    with running(LOOP, "7", python=interpreter.path) as patient:
        snapshot = take(live(patient.pid), 0)
        assert len(names(snapshot.samples[0])) == 7 + 2


def test_without_a_pause() -> None:
    with running(LOOP, "5") as patient:
        snapshot = take(live(patient.pid), 0, pause=False)
        python = snapshot.samples[0].python
        assert isinstance(python, Python)
        assert python.method.reveal() in ("asleep", "double-read", "unpaused")
        assert (snapshot.pause, python.pause) == (0, 0)
        assert {TaskName(f"waiter-{number}") for number in range(5)} <= set(names(snapshot.samples[0]))


def test_stopped_target() -> None:
    with running(LOOP, "5") as patient:
        os.kill(patient.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, patient.pid, os.WSTOPPED | os.WNOWAIT)
        snapshot = take(live(patient.pid), 0.1)
        python, process = snapshot.samples[1].python, snapshot.samples[1].process
        assert isinstance(python, Python)
        assert isinstance(process, Process)
        assert (python.method.reveal(), process.state.reveal(), snapshot.pause) == ("stopped", "T", 0)
        assert len(python.tasks) == 7
        assert state(patient.pid) == "T"
        os.kill(patient.pid, signal.SIGCONT)
        assert asked(patient)["pending"] == 5


def test_not_python() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            began = time.monotonic()
            with pytest.raises(NotReadable):
                take(live(process.pid), 60)
            assert time.monotonic() - began < 10
        finally:
            process.kill()


def test_python_without_asyncio() -> None:
    with running(SLEEPING) as patient:
        python = take(live(patient.pid), 0).samples[0].python
        assert isinstance(python, Python)
        assert (python.has_asyncio, python.tasks, len(python.threads)) == (False, [], 1)


@pytest.mark.parametrize("step", ["process", "sockets", "tasks", "interval"])
def test_target_that_exits_meanwhile(step: str) -> None:
    with running(LOOP, "1") as patient:

        def die(reached: str) -> None:
            if reached == step:
                patient.process.kill()
                os.waitid(os.P_PID, patient.pid, os.WEXITED | os.WNOWAIT)

        with pytest.raises(TargetGone):
            take(live(patient.pid), 0.1, progress=die)


def test_pid_that_became_another_process() -> None:
    with running(LOOP, "1") as patient:
        found = live(patient.pid)
        with pytest.raises(TargetGone):
            take(Live(found.pid, found.start_ticks - 1), 0)


def test_collector_that_hangs_is_missing_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LIMIT", 0.5)
    monkeypatch.setattr(run.socket_tables, "collect", lambda pid: time.sleep(5))
    with running(LOOP, "1") as patient:
        began = time.monotonic()
        snapshot = take(live(patient.pid), 0)
        assert time.monotonic() - began < 4
        assert isinstance(snapshot.samples[0].sockets, Missing)


def test_hot_target_is_read_of_one_moment(interpreter: Interpreter) -> None:
    """Without a pause up to a quarter of these chains were silently wrong."""
    with running(HOT, "30", python=interpreter.path) as patient, Tracer(patient.pid) as tracer:
        for _ in range(20):
            assert_of_one_moment(tasks.collect(patient.pid, soon(), tracer=tracer).python, 31)


def test_thousand_hot_tasks_are_read_of_one_moment() -> None:
    with running(HOT, "1000") as patient, Tracer(patient.pid) as tracer:
        known = Known()
        for _ in range(5):
            assert_of_one_moment(tasks.collect(patient.pid, soon(), tracer=tracer, known=known).python, 1001)


WHOLE = (("outer", "middle", "inner", "sleep"), ("outer", "middle", "inner", "Queue.get"))
ALLOWED = {("main",)} | {chain[:length] for chain in WHOLE for length in range(1, 5)}


def assert_of_one_moment(python: Python | Missing, tasks: int) -> None:
    assert isinstance(python, Python)
    assert python.method.reveal() == "frozen"
    assert (len(python.tasks), python.doubts) == (tasks, [])
    for task in python.tasks:
        assert tuple(level.name.reveal() for level in task.chain if level.kind == Word("coroutine")) in ALLOWED
        assert task.doubts == []


def exchange(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(100)


def test_target_is_undisturbed() -> None:
    """A hundred inspections in a row: its clock ticks on, its sockets answer, its tasks wait, nothing was raised."""
    with running(LOOP, "50") as patient, Tracer(patient.pid) as tracer:
        with socket.create_connection(("127.0.0.1", int(patient.words[0]))) as connection:
            assert exchange(connection, b"before\n") == b"before\n"
            before, frozen = asked(patient), 0
            for number in range(INSPECTIONS):
                read = tasks.collect(patient.pid, soon(), tracer=tracer)
                assert isinstance(read.python, Python)
                assert read.python.method.reveal() in ("frozen", "asleep")
                frozen += read.pause > 0
                assert len(read.python.tasks) >= 52
                line = b"%d\n" % number
                assert exchange(connection, line) == line
            after = asked(patient)
        assert (after["pending"], after["errors"]) == (50, [])
        assert isinstance(before["ticks"], int)
        assert isinstance(after["ticks"], int)
        assert after["ticks"] > before["ticks"]
        assert frozen > INSPECTIONS / 10  # its clock ticks each millisecond
        assert tracer_of(patient.pid) == 0


def test_two_readings_without_a_pause_keep_what_they_agree_on() -> None:
    with running(LOOP, "20") as patient:
        parts = tasks.collect(patient.pid, soon())[:2]
        python = parts[0]
        assert isinstance(python, Python)
        assert tasks.agree(parts, parts) == parts
        torn = [replace(task, waiter=1) if number < 2 else task for number, task in enumerate(python.tasks)]
        agreed = tasks.agree((replace(python, tasks=torn), parts[1]), parts)
        assert agreed is not None
        assert isinstance(agreed[0], Python)
        assert agreed[0].tasks == python.tasks[2:]
        assert agreed[0].doubts[-1].values == {"count": 2}
        torn = [replace(task, waiter=1) for task in python.tasks]
        assert tasks.agree((replace(python, tasks=torn), parts[1]), parts) is None


def test_capture_of_a_recording_needs_its_memory() -> None:
    with running(LOOP, "1") as patient:
        recording = record(live(patient.pid), 0.1)
        assert isinstance(recording.snapshot, Snapshot)
        assert [len(memory.pages) > 50 for memory in recording.memories] == [True, True]
