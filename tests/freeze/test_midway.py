"""A target that becomes another program, forks or ends while it is read: one program is told of, or a sentence."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from freeze_patients import COUNTING, SLEEPING, WAITING, Patient, running, state, tracer_of
from midway_patients import EXECUTES, FORKING, FORKS_ONCE, IN_VFORK, REBORN, SECOND

from qqdiag.collect import tasks
from qqdiag.errors import NoSuchTarget, NotReadable, TargetGone
from qqdiag.memory import freeze as freezing
from qqdiag.memory import tracer as program
from qqdiag.memory.freeze import freeze
from qqdiag.memory.live import LiveMemory
from qqdiag.memory.pause import NotPaused, Tracer
from qqdiag.memory.source import MemorySource, Region
from qqdiag.model import Missing
from qqdiag.profiles import profiles
from qqdiag.run import record, take
from qqdiag.snapshot import Deep, Python, Snapshot
from qqdiag.target import Live, live, process

ADDR_NO_RANDOMIZE = ["setarch", "--addr-no-randomize"]


def header(memory: MemorySource) -> bytes:
    """Something small that every process has: the end of its stack."""
    stack = next(region for region in memory.regions() if region.path == "[stack]")
    return memory.read(stack.end - 64, 64)


def soon() -> float:
    return time.monotonic() + 20


@pytest.fixture
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its threads do, the target counts as running: it must be stopped to be read."""
    monkeypatch.setattr(freezing, "threads_at_rest", lambda pid: None)


@contextmanager
def executing(*becomes: str) -> Iterator[Patient]:
    """A program with one task, which executes `becomes` when it is told to; both lie at the same addresses."""
    command = [*ADDR_NO_RANDOMIZE, sys.executable, "-c", EXECUTES, *becomes]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as running:
        try:
            assert running.stdout
            assert running.stdout.readline() == "ready\n"
            yield Patient(running, [])
        finally:
            running.kill()


def go_on(patient: Patient) -> None:
    """It executes now, and the new program has begun to run."""
    assert patient.ask() == "second\n"


def names(python: Python | Missing) -> set[str]:
    assert isinstance(python, Python)
    return {task.name.reveal() for task in python.tasks}


# --- exec ------------------------------------------------------------------------------------------------------------

AGAIN = (sys.executable, "-c", SECOND)
ANOTHER = ("/bin/sh", "-c", "echo second; exec sleep 60")


@pytest.mark.parametrize("step", ["process", "sockets", "tasks", "interval", "heap"])
@pytest.mark.parametrize("becomes", [AGAIN, ANOTHER], ids=["again", "another"])
def test_exec_between_two_steps(becomes: tuple[str, ...], step: str) -> None:
    with executing(*becomes) as patient:

        def execute(reached: str) -> None:
            if reached == step and patient.process.poll() is None and not told:
                told.append(step)
                go_on(patient)

        told: list[str] = []
        if step == "heap":  # after the samples: they stand, and nothing of the new program is added to them
            snapshot = take(live(patient.pid), 0, deep=True, progress=execute)
            assert "first" in names(snapshot.samples[0].python)
            assert not isinstance(snapshot.deep, Deep)
        else:
            with pytest.raises(TargetGone) as error:
                take(live(patient.pid), 0.1, progress=execute)
            assert "another program" in error.value.message.template
        assert told
        assert tracer_of(patient.pid) == 0


class Telling:
    """A memory that lets the target go on at its `number`th read."""

    def __init__(self, memory: MemorySource, number: int, tell: Callable[[], None]) -> None:
        self.memory, self.left, self.tell = memory, number, tell

    def read(self, address: int, size: int) -> bytes:
        self.left -= 1
        if self.left == 0:
            self.tell()
        return self.memory.read(address, size)

    def regions(self) -> list[Region]:
        return list(self.memory.regions())


@pytest.mark.usefixtures("awake")
@pytest.mark.parametrize("number", [1, 40, 400])
@pytest.mark.parametrize(("pause", "reading"), [(True, 1), (True, 2), (True, 3), (False, 1), (False, 2)])
def test_exec_of_itself_at_a_read(pause: bool, reading: int, number: int) -> None:
    """In the middle of the first reading or of a later one; its twin lies at the same addresses."""
    with executing(*AGAIN) as patient:
        walks: list[MemorySource] = []
        read = tasks.walk(profiles())

        def walk(memory: MemorySource) -> tasks.Parts:
            walks.append(memory)
            return read(Telling(memory, number, lambda: go_on(patient)) if len(walks) == reading else memory)

        try:
            found = freeze(patient.pid, walk, soon(), pause=pause, agree=tasks.agree)
        except TargetGone:
            pass
        else:
            python = found.value[0]
            assert isinstance(python, Missing) or names(python) == {"Task-1", "first"}
        assert len(walks) >= reading
        assert tracer_of(patient.pid) == 0
        assert state(patient.pid) in "SR"


@pytest.mark.usefixtures("awake")
def test_exec_before_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the child copies by pid would be of the new program, and fit."""
    with executing(*AGAIN) as patient:
        copy = Tracer.copy

        def late(tracer: Tracer, *arguments: object) -> object:
            if not told:
                told.append(1)
                go_on(patient)
            return copy(tracer, *arguments)  # type: ignore[arg-type]

        told: list[int] = []
        monkeypatch.setattr(Tracer, "copy", late)
        with pytest.raises(TargetGone):
            freeze(patient.pid, tasks.walk(profiles()), soon(), agree=tasks.agree)
        assert told
        assert tracer_of(patient.pid) == 0


def one_run(snapshot: Snapshot) -> None:
    """All that was read is of one run of the program."""
    runs = {name.split("-")[1] for sample in snapshot.samples for name in names(sample.python) if name[:4] == "run-"}
    assert len(runs) <= 1
    counts = [sum(name.startswith("run-") for name in names(sample.python)) for sample in snapshot.samples]
    assert set(counts) <= {0, 5}


def test_exec_over_and_over() -> None:
    """Whenever it falls: the tasks are those of one run, or the target is gone."""
    gone = 0
    with running(REBORN, "0") as patient:
        for _ in range(12):
            try:
                found = process(patient.pid)
                one_run(take(found, 0.01))
            except (TargetGone, NotReadable):  # the latter of one that has just begun, and is no Python yet
                gone += 1
        assert patient.process.poll() is None
    assert gone


def test_image_tells_an_exec_that_pid_and_start_time_do_not() -> None:
    with executing(*AGAIN) as patient:
        found = live(patient.pid)
        found.check()
        go_on(patient)
        Live(found.pid, found.start_ticks).check()
        with pytest.raises(TargetGone):
            found.check()
        live(patient.pid).check()


# --- fork ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("awake")
def test_child_is_neither_stopped_nor_traced() -> None:
    with running(FORKS_ONCE) as patient:
        told: list[int] = []

        def walk(memory: MemorySource) -> bytes:
            if not told:
                told.append(int(patient.ask()))
            return header(memory)

        frozen = freeze(patient.pid, walk, soon())
        assert frozen.method.reveal() == "frozen"
        for pid in (patient.pid, told[0]):
            assert tracer_of(pid) == 0
            assert state(pid) in "SR"
        assert patient.ask() == "0\n"


@pytest.mark.usefixtures("awake")
def test_target_that_forks_all_the_time() -> None:
    """fork and vfork: no child is caught, and the target goes on."""
    with running(FORKING) as patient, Tracer(patient.pid) as tracer:
        methods = [freeze(patient.pid, header, soon(), tracer=tracer).method.reveal() for _ in range(20)]
        assert set(methods) <= {"frozen", "double-read"}, "a thread in vfork cannot stop before its child has gone on"
        assert "frozen" in methods
        assert int(patient.ask()) > 0
        assert patient.process.wait(10) == 0


@contextmanager
def released(fifo: Path) -> Iterator[None]:
    """Whoever waits for a writer at the end goes on, however the test ends."""
    try:
        yield
    finally:
        os.close(os.open(fifo, os.O_RDWR))


@pytest.mark.usefixtures("awake")
def test_thread_that_cannot_stop(tmp_path: Path) -> None:
    """The kernel lets a thread in vfork not stop before its child goes on: nothing is held, and it is said."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with released(fifo), running(IN_VFORK, str(fifo)) as patient:
        deadline = soon()
        while state(patient.pid) != "D":
            assert time.monotonic() < deadline, "it never came into vfork"
        frozen = freeze(patient.pid, header, soon())
        assert frozen.method.reveal() == "double-read"
        assert frozen.because is not None
        assert "did not stop in time" in frozen.because.template
        assert (tracer_of(patient.pid), state(patient.pid)) == (0, "D")
        with fifo.open("w"):
            assert patient.process.stdout
            assert patient.process.stdout.readline() == "done\n"
        assert freeze(patient.pid, header, soon()).method.reveal() == "frozen"


# --- the end ---------------------------------------------------------------------------------------------------------

KILLS = f"""
import os, signal, sys, json
sys.path.insert(0, {os.path.dirname(program.__file__)!r})
import tracer
pid, copies, copy = int(sys.argv[1]), [], tracer.copy
def kill(*arguments):
    copies.append(1)
    if len(copies) == 2:  # the first is before the pause
        os.kill(pid, signal.SIGKILL)
    return copy(*arguments)
tracer.copy = kill
import mmap
error, pause, threads, unread = tracer.frozen_copy(pid, 10**9, [int(sys.argv[2]), 4096], mmap.mmap(-1, 4096))
print(json.dumps([len(copies), error, threads]))
"""


def test_target_that_is_killed_in_the_pause() -> None:
    """The tracer itself ends, and the target does not stay behind."""
    with running(COUNTING) as patient:
        done = subprocess.run(
            [sys.executable, "-c", KILLS, str(patient.pid), patient.words[0]],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        copies, error, held = json.loads(done.stdout)
        assert (copies, held) == (2, 1)
        assert error in (0, 3), "it was copied before it died, or ESRCH"
        assert patient.process.wait(10) == -signal.SIGKILL


def test_tracer_of_a_target_that_was_killed_says_so() -> None:
    with running(WAITING, "60") as patient, Tracer(patient.pid) as tracer, LiveMemory(patient.pid) as memory:
        stack = next(region for region in memory.regions() if region.path == "[stack]")
        assert tracer.copy([], soon()).threads == 5
        patient.process.kill()
        os.waitid(os.P_PID, patient.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(NotPaused) as error:
            tracer.copy([(stack.start, 4096)], soon())
        assert error.value.number == errno.ESRCH
        with pytest.raises((TargetGone, NoSuchTarget)):
            freeze(patient.pid, header, soon(), tracer=tracer)


@pytest.mark.parametrize("step", ["tasks", "interval", "heap"])
def test_killed_between_two_steps(step: str) -> None:
    """What was read before is told only where it is whole."""
    with running(SLEEPING) as patient:

        def kill(reached: str) -> None:
            if reached == step:
                patient.process.kill()
                os.waitid(os.P_PID, patient.pid, os.WEXITED | os.WNOWAIT)

        if step == "heap":
            recording = record(live(patient.pid), 0, deep=True, progress=kill)
            assert isinstance(recording.snapshot.samples[0].python, Python)
            assert isinstance(recording.snapshot.deep, Missing)
        else:
            with pytest.raises(TargetGone):
                record(live(patient.pid), 0.1, deep=True, progress=kill)


# --- other tracers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("strace", "-qq", "-o", "/dev/null", "-p"), ("gdb", "-q", "-batch-silent", "-p")])
def test_real_tracer_is_named(words: tuple[str, ...], tmp_path: Path) -> None:
    """It keeps the target, and the tasks are read twice instead."""
    with running(COUNTING) as patient:
        hold = ["-ex", "shell cat"] if words[0] == "gdb" else []
        with subprocess.Popen(
            [*words, str(patient.pid), *hold],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as other:
            try:
                deadline = soon()
                while tracer_of(patient.pid) != other.pid:
                    assert time.monotonic() < deadline, f"{words[0]} does not attach"
                    time.sleep(0.005)
                frozen = freeze(patient.pid, header, soon())
                assert frozen.because is not None
                assert frozen.because.values == {"tracer": other.pid}
                assert (frozen.method.reveal(), frozen.pause) == ("double-read", 0)
                assert tracer_of(patient.pid) == other.pid
            finally:
                other.kill()
