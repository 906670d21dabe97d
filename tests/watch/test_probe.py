"""What a probe takes for a reason to look: real processes, in the states that it is for, and those that it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from qqdiag.watch.probe import Probe, probe, suspicion

PROGRAMS = {
    "selector": "import select; p = select.epoll(); print(flush=True); p.poll()",
    "call": "import time; print(flush=True); time.sleep(3600)",
    "processor": "print(flush=True)\nwhile True: pass",
}


@contextmanager
def process(source: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"\n"
            yield running.pid
        finally:
            running.kill()


def seen(pid: int, what: str) -> str | None:
    """What two probes show, taken as often as it needs to be reached at all: a process begins to sleep when it may."""
    found = None
    for _ in range(200):
        before = probe(pid, [pid])
        os.sched_yield()
        _pass(0.02)
        word = suspicion(before, probe(pid, [pid]))
        found = None if word is None else word.reveal()
        if found == what:
            break
    return found


def _pass(seconds: float) -> None:
    """Time that the other process may have."""
    subprocess.run(["sleep", str(seconds)], check=True)


@pytest.mark.parametrize("what", ["call", "processor"])
def test_what_is_wrong_is_suspected(what: str) -> None:
    with process(PROGRAMS[what]) as pid:
        assert seen(pid, what) == what


def test_a_loop_in_its_selector_is_not() -> None:
    with process(PROGRAMS["selector"]) as pid:
        while "epoll" not in _wchan(pid):
            _pass(0.01)
        assert suspicion(probe(pid, [pid]), probe(pid, [pid])) is None


def test_a_stopped_process_is_suspected() -> None:
    with process(PROGRAMS["selector"]) as pid:
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        assert seen(pid, "stopped") == "stopped"


def test_a_process_that_is_gone_is_an_error() -> None:
    with process(PROGRAMS["call"]) as pid:
        pass
    with pytest.raises(OSError):
        probe(pid)


def test_one_moment_in_a_call_is_nothing() -> None:
    here, there = "0 0x3 0x1 0x2", "0 0x3 0x9 0x2"  # a read, and another one
    assert suspicion(Probe(1, "S", 1, (here,)), Probe(6, "S", 1, (there,))) is None
    assert suspicion(Probe(1, "S", 1, (here,)), Probe(6, "S", 1, (here,))) is not None


def _wchan(pid: int) -> str:
    with open(f"/proc/{pid}/wchan") as file:
        return file.read()
