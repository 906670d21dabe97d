"""A frozen copy is of one moment, and the target does not notice."""

from __future__ import annotations

import errno
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from freeze_patients import (
    CHURNING,
    COUNTERS,
    COUNTING,
    SIGNALLED,
    SLEEPING,
    SPAWNING,
    WAITING,
    WAKING,
    Patient,
    running,
    state,
    tracer_of,
)

from qqdiag.errors import QqdiagError, TargetGone
from qqdiag.memory import freeze as freezing
from qqdiag.memory import tracer as program
from qqdiag.memory.freeze import freeze
from qqdiag.memory.live import PAGE, LiveMemory
from qqdiag.memory.pause import NotPaused, Tracer
from qqdiag.memory.rest import threads_at_rest
from qqdiag.memory.source import MemorySource, Unreadable

FREEZES = 100
EXACT = (0, 0, 0)  # no byte for a neighbourhood


@pytest.fixture
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its threads do, the target counts as running: it must be stopped to be read."""
    monkeypatch.setattr(freezing, "threads_at_rest", lambda pid: None)


def soon() -> float:
    return time.monotonic() + 20


def counters(patient: Patient) -> Callable[[MemorySource], list[int]]:
    base = int(patient.words[0])

    def walk(memory: MemorySource) -> list[int]:
        return [struct.unpack("<Q", memory.read(base + page * PAGE, 8))[0] for page in range(COUNTERS)]

    return walk


def header(memory: MemorySource) -> bytes:
    """Something small that every process has and that changes: the end of its stack."""
    stack = next(region for region in memory.regions() if region.path == "[stack]")
    return memory.read(stack.end - 64, 64)


def of_one_moment(values: list[int]) -> bool:
    return values == sorted(values, reverse=True) and values[0] - values[-1] in (0, 1)


def test_copy_is_of_one_moment() -> None:
    with running(COUNTING) as patient, Tracer(patient.pid) as tracer:
        seen = []
        for _ in range(FREEZES):
            frozen = freeze(patient.pid, counters(patient), soon(), tracer=tracer)
            assert frozen.method.reveal() == "frozen"
            assert frozen.late_pages == 0
            assert of_one_moment(frozen.value)
            assert 0 < frozen.pause < 1
            seen.append(frozen.value[0])
        deadline = soon()
        while len(set(seen)) < 2 and time.monotonic() < deadline:  # it may not have had the processor until now
            seen.append(freeze(patient.pid, counters(patient), soon(), tracer=tracer).value[0])
        assert len(set(seen)) > 1
        assert tracer_of(patient.pid) == 0


def test_pages_of_the_copy_repeat_the_walk() -> None:
    with running(COUNTING) as patient:
        frozen = freeze(patient.pid, counters(patient), soon())
        base = int(patient.words[0])
        held = [struct.unpack_from("<Q", frozen.pages[base + page * PAGE])[0] for page in range(COUNTERS)]
        assert held == frozen.value


@pytest.mark.usefixtures("awake")
def test_system_calls_go_on() -> None:
    """Sleep, recv, epoll and a lock end as they would have, though each was interrupted a hundred times."""
    with running(WAITING, "1.0") as patient, Tracer(patient.pid) as tracer:
        for _ in range(FREEZES):
            assert freeze(patient.pid, header, soon(), tracer=tracer).method.reveal() == "frozen"
        answers = json.loads(patient.ask())
        assert answers.pop("slept") >= 1.0
        assert answers == {"received": "hello", "polled": 1, "locked": True}
        assert patient.process.wait(10) == 0


@pytest.mark.usefixtures("awake")
def test_threads_that_come_and_go() -> None:
    with running(CHURNING) as patient, Tracer(patient.pid) as tracer:
        for _ in range(FREEZES):
            assert freeze(patient.pid, header, soon(), tracer=tracer).method.reveal() == "frozen"
        assert int(patient.ask()) > 0
        assert patient.process.wait(10) == 0


def test_processes_that_are_started_meanwhile() -> None:
    """A thread in vfork cannot stop until its child runs another program."""
    with running(SPAWNING) as patient:
        methods = [freeze(patient.pid, header, soon()).method.reveal() for _ in range(20)]
        assert set(methods) <= {"frozen", "asleep", "double-read"}
        assert "frozen" in methods
        assert int(patient.ask()) > 0
        assert patient.process.wait(10) == 0


@pytest.mark.usefixtures("awake")
def test_no_signal_is_lost() -> None:
    """A stop may fall on a thread that is about to get a signal: it is handed on."""
    with running(SIGNALLED) as patient, Tracer(patient.pid) as tracer:
        for _ in range(3 * FREEZES):
            assert freeze(patient.pid, header, soon(), tracer=tracer).method.reveal() == "frozen"
        sent, seen = map(int, patient.ask().split())
        assert sent == seen > 0


def test_late_page_costs_another_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "EXTRA", EXACT)
    with running(COUNTING) as patient:
        base, walks = int(patient.words[0]), []

        def walk(memory: MemorySource) -> int:
            walks.append(memory)
            memory.read(base, 8)
            return len(memory.read(base + 40 * PAGE, 8)) if len(walks) > 1 + freezing.WARM else 0

        frozen = freeze(patient.pid, walk, soon())
        assert (frozen.method.reveal(), frozen.late_pages, len(walks)) == ("frozen", 1, 1 + freezing.WARM + 2)


def test_address_that_is_nowhere_is_not_late() -> None:
    """A walk that tries words as pointers meets such addresses in every round."""
    with running(COUNTING) as patient:

        def walk(memory: MemorySource) -> list[int]:
            with pytest.raises(Unreadable):
                memory.read(PAGE, 8)
            return counters(patient)(memory)

        frozen = freeze(patient.pid, walk, soon())
        assert (frozen.method.reveal(), frozen.late_pages) == ("frozen", 0)
        assert of_one_moment(frozen.value)


def test_pages_that_are_never_known_cost_a_bulk_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "EXTRA", EXACT)
    monkeypatch.setattr(freezing, "TRIES", 1)
    with running(COUNTING) as patient:
        base, walks = int(patient.words[0]), []

        def walk(memory: MemorySource) -> int:
            walks.append(memory)
            memory.read(base, 8)
            return len(memory.read(base + 8 * PAGE * ((len(walks) - 1) % 8), 8)) + len(walks)

        frozen = freeze(patient.pid, walk, soon())
        assert (frozen.method.reveal(), len(walks)) == ("frozen", 1 + freezing.WARM + len(EXACT) + 1)


def test_too_large_for_a_bulk_copy_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "EXTRA", EXACT)
    monkeypatch.setattr(freezing, "BULK", 0)
    monkeypatch.setattr(freezing, "TRIES", 1)
    with running(COUNTING) as patient:
        base, walks = int(patient.words[0]), []

        def walk(memory: MemorySource) -> int:
            walks.append(memory)
            memory.read(base, 8)
            return len(memory.read(base + 8 * PAGE * ((len(walks) - 1) % 8), 8))

        frozen = freeze(patient.pid, walk, soon())
        assert (frozen.method.reveal(), frozen.value) == ("double-read", 8)
        assert frozen.because is not None
        assert 0 < frozen.pause < 1, "it did stand still, though that was of no use"


@pytest.mark.usefixtures("awake")
def test_without_a_pause_two_readings_must_agree() -> None:
    with running(SLEEPING) as patient:
        assert freeze(patient.pid, header, soon(), pause=False).method.reveal() == "double-read"
        numbers = iter(range(100))
        frozen = freeze(patient.pid, lambda memory: next(numbers), soon(), pause=False)
        assert frozen.method.reveal() == "unpaused"
        assert frozen.pause == 0


@pytest.mark.parametrize("pause", [True, False])
def test_pages_of_every_reading_are_kept(pause: bool) -> None:
    """A walk keeps what it once learned for good, so that the last of them does not read it again."""
    with running(COUNTING) as patient:
        base, walks = int(patient.words[0]), []

        def walk(memory: MemorySource) -> int:
            walks.append(memory)
            memory.read(base + 8 * PAGE * min(len(walks), 3), 8)
            if len(walks) == 2:
                raise Unreadable(base, 8)
            return 8

        frozen = freeze(patient.pid, walk, soon(), pause=pause)
        assert len(walks) >= 3
        assert {base + 8 * PAGE * number for number in (1, 2, 3)} <= set(frozen.pages)


@pytest.mark.usefixtures("awake")
def test_readings_without_a_pause_end_at_the_deadline() -> None:
    with running(COUNTING) as patient:
        base, walks, deadline = int(patient.words[0]), [], time.monotonic() + 1

        def walk(memory: MemorySource) -> int:
            walks.append(memory)
            while len(walks) > 1:  # the second one is never done
                memory.read(base, 8)
                if isinstance(memory, LiveMemory):
                    memory.forget()
            return len(walks)

        frozen = freeze(patient.pid, walk, deadline, pause=False)
        assert (frozen.value, frozen.method.reveal()) == (1, "unpaused")
        assert len(walks) == 2


def test_target_at_rest_is_read_without_a_pause() -> None:
    with running(SLEEPING) as patient:
        deadline = soon()
        while threads_at_rest(patient.pid) is None:  # it has said `ready`, and is about to read its stdin
            assert time.monotonic() < deadline
        for pause in (True, False):
            frozen = freeze(patient.pid, header, soon(), pause=pause)
            assert (frozen.method.reveal(), frozen.pause) == ("asleep", 0)
            assert min(frozen.pages) > 0


def test_target_that_wakes_while_it_is_read_is_not_at_rest() -> None:
    """It slept before the walk and after it, but not all the time."""
    with running(WAKING) as patient:
        woken: list[str] = []

        def walk(memory: MemorySource) -> bytes:
            if not woken:
                woken.append(patient.ask())
            deadline = soon()
            while threads_at_rest(patient.pid) is None:
                assert time.monotonic() < deadline
            return header(memory)

        frozen = freeze(patient.pid, walk, soon())
        assert woken == ["awake\n"]
        assert frozen.method.reveal() == "frozen"


def test_running_target_is_not_at_rest() -> None:
    with running(COUNTING) as patient:
        assert threads_at_rest(patient.pid) is None


def test_stopped_target_is_read_and_stays_stopped() -> None:
    with running(COUNTING) as patient:
        os.kill(patient.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, patient.pid, os.WSTOPPED | os.WNOWAIT)
        frozen = freeze(patient.pid, counters(patient), soon())
        assert (frozen.method.reveal(), frozen.pause) == ("stopped", 0)
        assert state(patient.pid) == "T"
        assert of_one_moment(frozen.value)
        os.kill(patient.pid, signal.SIGCONT)
        assert freeze(patient.pid, counters(patient), soon()).method.reveal() == "frozen"


def test_one_stopped_while_it_is_frozen_stays_stopped() -> None:
    """The stop of a group is kept through PTRACE_SEIZE and the release."""
    with running(SLEEPING) as patient, Tracer(patient.pid) as tracer:
        os.kill(patient.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, patient.pid, os.WSTOPPED | os.WNOWAIT)
        tracer.copy([], soon())
        assert state(patient.pid) == "T"


@contextmanager
def held(pid: int, *, stopped: bool) -> Iterator[subprocess.Popen[str]]:
    """Another tracer, as gdb would be one: made of the tracer's own functions."""
    source = f"""
import sys; sys.path.insert(0, {os.path.dirname(program.__file__)!r})
import tracer
held = {{}}
new = tracer.seize({pid}, held)
if {stopped}:
    tracer.stop({pid}, new, held)
print(len(held), flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", source]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert int(process.stdout.readline()) >= 1
            yield process
        finally:
            process.kill()


@pytest.mark.usefixtures("awake")
@pytest.mark.parametrize("stopped", [False, True])
def test_another_tracer_is_named_and_left_alone(stopped: bool) -> None:
    with running(SLEEPING) as patient, held(patient.pid, stopped=stopped) as other:
        frozen = freeze(patient.pid, header, soon())
        assert (frozen.method.reveal(), frozen.pause) == ("double-read", 0)
        assert frozen.because is not None
        assert frozen.because.values == {"tracer": other.pid}
        assert tracer_of(patient.pid) == other.pid
        assert state(patient.pid) == ("t" if stopped else "S")


def test_death_of_the_tracer_lets_the_target_go() -> None:
    with running(WAITING, "0.0") as patient, held(patient.pid, stopped=True) as tracer:
        assert state(patient.pid) == "t"
        tracer.kill()
        tracer.wait()
        assert tracer_of(patient.pid) == 0
        assert json.loads(patient.ask())["received"] == "hello"


@pytest.mark.usefixtures("awake")
def test_child_that_does_not_answer_is_killed_at_the_deadline() -> None:
    with running(WAITING, "0.0") as patient, Tracer(patient.pid) as tracer:
        tracer.copy([], soon())
        os.kill(tracer.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(NotPaused):
            tracer.copy([], began + 0.1)
        assert time.monotonic() - began < 5
        assert not tracer.alive
        assert not os.path.exists(f"/proc/{tracer.pid}")
        # A dead child is replaced, and the target has never noticed.
        assert freeze(patient.pid, header, soon(), tracer=tracer).method.reveal() == "frozen"
        assert json.loads(patient.ask())["locked"] is True


def test_terminal_cannot_stop_the_child_while_it_holds_the_target() -> None:
    """Ctrl-Z stops the process group of the terminal, so the child is in none of it."""
    with running(SLEEPING) as patient, Tracer(patient.pid) as tracer:
        tracer.copy([], soon())
        assert os.getsid(tracer.pid) == os.getpgid(tracer.pid) == tracer.pid


@pytest.mark.usefixtures("awake")
def test_target_that_exits_while_it_is_read() -> None:
    with running(SLEEPING) as patient:

        def walk(memory: MemorySource) -> bytes:
            found = header(memory)
            patient.process.kill()
            os.waitid(os.P_PID, patient.pid, os.WEXITED | os.WNOWAIT)
            return found

        with pytest.raises(TargetGone):
            freeze(patient.pid, walk, soon())


def test_target_that_is_gone() -> None:
    with running(SLEEPING) as patient:
        tracer = Tracer(patient.pid)
    with pytest.raises(QqdiagError):
        freeze(patient.pid, header, soon())
    with tracer, pytest.raises(NotPaused) as error:
        tracer.copy([], soon())
    assert error.value.number == errno.ENOENT


def test_ranges_that_are_unmapped_are_told() -> None:
    with running(COUNTING) as patient, Tracer(patient.pid) as tracer:
        base = int(patient.words[0])
        ranges = [(PAGE, PAGE), (base, PAGE), (3 * PAGE, 2 * PAGE), (base + PAGE, PAGE)]
        copy = tracer.copy(ranges, soon())
        assert copy.unread == (0, 2)
        first, second = (struct.unpack_from("<Q", copy.data, at)[0] for at in (PAGE, 4 * PAGE))
        assert first - second in (0, 1)


@pytest.mark.usefixtures("awake")
def test_nothing_is_left_behind() -> None:
    before, children = set(os.listdir("/proc/self/fd")), psutil.Process().children(recursive=True)
    with running(SLEEPING) as patient:
        inside = set(os.listdir("/proc/self/fd"))
        for pause in (True, False):
            freeze(patient.pid, header, soon(), pause=pause)
        assert set(os.listdir("/proc/self/fd")) == inside
    assert set(os.listdir("/proc/self/fd")) == before
    assert psutil.Process().children(recursive=True) == children, "a zombie is a child too"
