"""Programs that are no gateway anybody knows: what the libraries and the interpreter alone tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from matrix_table import grave, plain, words
from peers import unread_server, websocket_server
from started import started

from qqdiag.diagnose import diagnose
from qqdiag.finding import Confidence, Diagnosis, Severity
from qqdiag.model import Missing
from qqdiag.run import take
from qqdiag.snapshot import Snapshot, WebSocket
from qqdiag.target import resolve

PATIENTS = Path(__file__).with_name("patients.py")


@contextmanager
def patient(name: str, port: int) -> Iterator[int]:
    """A program in its state; yields its pid."""
    with started(PATIENTS, name, port) as process:
        yield process.pid


def look(pid: int, settle: float = 0) -> tuple[Snapshot, Diagnosis]:
    """A snapshot of two samples; `settle`: seconds that the state must have lasted, where its age is asked for."""
    time.sleep(settle)
    snapshot = take(resolve(str(pid)), interval=1.0)
    return snapshot, diagnose(snapshot)


def websocket(snapshot: Snapshot) -> WebSocket:
    gateway = snapshot.samples[-1].gateway
    assert not isinstance(gateway, Missing)
    assert len(gateway.websockets) == 1
    return gateway.websockets[0]


def graded(diagnosis: Diagnosis) -> list[tuple[str, Severity]]:
    return [(finding.id, finding.severity) for finding in diagnosis.findings]


@pytest.fixture
def server() -> Iterator[int]:
    with websocket_server() as port:
        yield port


@pytest.fixture
def unread() -> Iterator[int]:
    with unread_server() as port:
        yield port


def test_a_listener_of_the_websockets_library_reads(server: int) -> None:
    with patient("websockets_idle", server) as pid:
        snapshot, diagnosis = look(pid)
    found = websocket(snapshot)
    assert found.library.reveal() == "websockets"
    assert found.closed is False
    assert found.fd is not None
    assert len(found.readers) == 1
    assert (found.close_timeout, found.close_timeout_known, found.ping_interval) == (10, True, 20)
    assert diagnosis.verdict == "clear", words(diagnosis)


@pytest.mark.parametrize("name", ["websockets_busy", "iterating"])
def test_a_listener_in_async_for_is_busy_and_not_dead(name: str, server: int) -> None:
    with patient(name, server) as pid:
        snapshot, diagnosis = look(pid, settle=0.5)
    found = websocket(snapshot)
    assert found.readers
    assert found.unread, "the look-alike needs unread bytes"
    assert diagnosis.verdict == "clear", words(diagnosis)


def test_a_listener_that_receives_in_a_method_may_be_busy(server: int) -> None:
    with patient("wrapping", server) as pid:
        _, diagnosis = look(pid, settle=0.5)
    (finding,) = diagnosis.findings
    assert (finding.id, finding.confidence) == ("dead-listener", Confidence.POSSIBLE)
    assert [other.id for other in finding.alternatives] == ["slow-handler"]


def test_a_websocket_that_nobody_reads(server: int) -> None:
    with patient("abandoned", server) as pid:
        snapshot, diagnosis = look(pid, settle=0.5)
    assert not websocket(snapshot).readers
    assert [(one.id, one.severity) for one in diagnosis.findings] == [("dead-listener", Severity.HANG)], words(
        diagnosis
    )


def test_a_close_of_the_websockets_library_without_a_limit(server: int) -> None:
    with patient("websockets_close", server) as pid:
        snapshot, diagnosis = look(pid, settle=2.5)
    found = websocket(snapshot)
    assert (found.closing, found.close_timeout, found.close_timeout_known) == (True, None, True)
    assert graded(diagnosis) == [("close-hang", Severity.HANG)], words(diagnosis)


def test_a_close_that_wait_for_will_end(server: int) -> None:
    """The peer's messages restart aiohttp's limit of a second, and yet the close is bounded."""
    with patient("bounded_by_wait_for", server) as pid:
        _, diagnosis = look(pid, settle=3.5)
    assert grave(diagnosis) == set(), words(diagnosis)
    assert [one.id for one in diagnosis.findings] == ["close-hang"], words(diagnosis)


def test_a_plain_stream_stuck_in_its_drain(unread: int) -> None:
    with patient("streaming", unread) as pid:
        _, diagnosis = look(pid, settle=1.0)
    assert grave(diagnosis) == {"write-stuck"}, words(diagnosis)


def test_a_plain_stream_that_never_closes(unread: int) -> None:
    with patient("waiting_for_close", unread) as pid:
        _, diagnosis = look(pid, settle=2.5)
    assert grave(diagnosis) == {"close-hang"}, words(diagnosis)


def test_a_computation_that_is_no_listener_is_not_called_one() -> None:
    with patient("computing", 0) as pid:
        _, early = look(pid)
        _, late = look(pid, settle=3.5)
    assert early.findings == (), words(early)
    (finding,) = late.findings
    assert (finding.id, finding.confidence) == ("loop-spinning", Confidence.POSSIBLE)
    assert [other.id for other in finding.alternatives] == ["work"]


def test_a_failed_task_that_is_no_listener_is_nothing() -> None:
    with patient("failed_other", 0) as pid:
        _, diagnosis = look(pid)
    assert diagnosis.verdict == "clear", words(diagnosis)


def test_a_task_that_is_ready_again_at_once() -> None:
    with patient("yielding", 0) as pid:
        _, diagnosis = look(pid)
    assert graded(diagnosis) == [("loop-spinning", Severity.DEGRADED)], words(diagnosis)


def test_two_runs_of_the_same_failure_have_one_fingerprint() -> None:
    prints = []
    for _ in range(2):
        with patient("sleeping", 0) as pid:
            _, diagnosis = look(pid)
        prints.append([one.fingerprint for one in diagnosis.findings])
    assert prints[0] == prints[1] != []


def test_a_loop_blocked_in_another_pid_namespace() -> None:
    """There its thread has another id for itself than for us."""
    if os.geteuid() != 0:
        pytest.skip("run the tests as root: a pid namespace of its own is needed")
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, str(PATIENTS), "sleeping", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        inside = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        _, diagnosis = look(inside)
        process.kill()
    assert [one.id for one in diagnosis.findings] == ["loop-blocked"], words(diagnosis)
    assert "sleeping" in words(diagnosis)


def test_a_stopped_process_is_not_called_well() -> None:
    with patient("failed_other", 0) as pid:
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        _, diagnosis = look(pid)
    assert graded(diagnosis) == [("process-stopped", Severity.HANG)], words(diagnosis)
    assert any("stopped" in plain(lack.reason) for _, lack in diagnosis.missing)
