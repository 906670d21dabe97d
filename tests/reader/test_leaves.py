"""Why a task waits: who holds the lock, which thread, child or socket will wake it, as the process itself knows it."""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import patients
import pytest
from interpreters import Interpreter
from patients import Patient

from qqdiag.snapshot import Leaf, Lock, Python, Task


class Waiting:
    """The reading, by the names that the program gives to its tasks and locks."""

    def __init__(self, patient: Patient, python: Python) -> None:
        self.truth, self.python = patient.truth, python
        self._names = {address: name for name, address in patient.truth["tasks"].items()}
        self._tasks = {task.address: task for task in python.tasks}
        self._locks = {lock.address: lock for lock in python.locks}

    def task(self, name: str) -> Task:
        return self._tasks[self.truth["tasks"][name]]

    def task_at(self, address: int) -> Task:
        return self._tasks[address]

    def leaf(self, name: str) -> Leaf:
        leaf = self.task(name).leaf
        assert leaf is not None
        return leaf

    def lock(self, name: str) -> Lock:
        return self._locks[self.truth["locks"][name]]

    def named(self, addresses: list[int]) -> list[str]:
        return [self._names[address] for address in addresses]


@pytest.fixture(scope="session")
def waitings() -> Iterator[Callable[[Path], Waiting]]:
    """`waitings(python)`: the program of waiting.py on that interpreter, and what is read of it."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def waiting(python: Path) -> Waiting:
            patient = stack.enter_context(patients.start(python, "waiting.py"))
            return Waiting(patient, patients.read(patient.pid))

        yield waiting


@pytest.fixture
def seen(interpreter: Interpreter, waitings: Callable[[Path], Waiting]) -> Waiting:
    return waitings(interpreter.path)


@pytest.mark.parametrize("name", ["plain", "deep", "stack", "manager", "iteration"])
def test_holder_and_waiters_of_a_lock(seen: Waiting, name: str) -> None:
    lock = seen.lock(name)
    assert (lock.kind.reveal(), lock.locked, lock.holder_known) == ("lock", True, True)
    assert seen.named(lock.holders) == [f"{name} holds"]
    assert seen.named(lock.waiters) == [f"{name} first", f"{name} second"]
    for waiter in lock.waiters:
        leaf = seen.task_at(waiter).leaf
        assert leaf is not None
        assert (leaf.kind.reveal(), leaf.lock, leaf.task) == ("lock", lock.address, lock.holders[0])
    assert sorted(seen.task(f"{name} holds").awaiters) == sorted(lock.waiters)


def test_a_holder_that_left_no_trace_is_unknown(seen: Waiting) -> None:
    lock = seen.lock("acquire")
    assert (lock.locked, lock.holder_known, lock.holders) == (True, False, [])
    assert seen.named(lock.waiters) == ["acquire first"]
    assert seen.leaf("acquire first").task is None


def test_a_lock_that_was_let_go_has_no_holder(seen: Waiting) -> None:
    assert not any("let go" in seen.named(lock.holders) for lock in seen.python.locks)


def test_a_task_that_waits_for_itself(seen: Waiting) -> None:
    assert seen.named(seen.lock("twice").holders) == seen.named(seen.lock("twice").waiters) == ["twice"]
    assert seen.leaf("twice").task == seen.task("twice").address
    assert seen.named(seen.task("twice").awaiters) == ["twice"]


def test_semaphores(seen: Waiting) -> None:
    lock = seen.lock("semaphore")
    assert (lock.kind.reveal(), lock.locked, lock.value) == ("semaphore", True, 0)
    assert sorted(seen.named(lock.holders)) == ["semaphore one", "semaphore two"]
    assert seen.named(lock.waiters) == ["semaphore waits"]
    assert seen.leaf("semaphore waits").task is None
    assert seen.leaf("mutex waits").task == seen.task("mutex holds").address


def test_conditions(seen: Waiting) -> None:
    """Who waits for a notice has released the lock."""
    condition, lock = seen.lock("condition"), seen.lock("of the condition")
    assert seen.named(condition.holders) == seen.named(lock.holders) == ["condition holds"]
    assert seen.named(condition.waiters) == ["notice"]
    assert seen.named(lock.waiters) == ["condition waits"]
    assert condition.locked
    assert (seen.leaf("notice").kind.reveal(), seen.leaf("notice").task) == ("condition", None)
    assert seen.leaf("condition waits").task == seen.task("condition holds").address


def test_events_and_queues(seen: Waiting) -> None:
    for name, waiter, kind, value in (
        ("event", "event", "event", None),
        ("empty queue", "get", "queue", 0),
        ("full queue", "put", "queue", 1),
    ):
        lock = seen.lock(name)
        assert (lock.kind.reveal(), lock.value, seen.named(lock.waiters)) == (kind, value, [waiter])
        assert (seen.leaf(waiter).kind.reveal(), seen.leaf(waiter).lock) == (kind, lock.address)
    assert seen.lock("event").locked


def test_rings(seen: Waiting) -> None:
    """Two tasks that wait for each other, and two that wait for each other's lock."""
    for one, other in (("ring one", "ring two"), ("left", "right")):
        for task, awaited in ((one, other), (other, one)):
            assert seen.leaf(task).task == seen.task(awaited).address
            assert seen.named(seen.task(task).awaiters) == [awaited]
    assert seen.named(seen.lock("left").holders) == seen.named(seen.lock("right").waiters) == ["left"]


def test_threads(seen: Waiting) -> None:
    threads = {thread.native_id: thread for thread in seen.python.threads}
    for name, kind, job in (("job", "executor", "running"), ("own thread", "future", None)):
        leaf = seen.leaf(name)
        assert (leaf.kind.reveal(), leaf.job.reveal() if leaf.job else None) == (kind, job)
        assert leaf.thread == seen.truth["threads"][name]
        codes = [seen.python.codes[frame.code].name.reveal() for frame in threads[leaf.thread].frames]
        assert "blocks" in codes
    queued = seen.leaf("queued job")
    assert queued.job is not None
    assert (queued.kind.reveal(), queued.job.reveal(), queued.thread) == ("executor", "pending", None)
    assert seen.leaf("other loop").task == seen.truth["there"]


def test_children(seen: Waiting) -> None:
    leaf = seen.leaf("child")
    assert (leaf.kind.reveal(), leaf.process) == ("process", seen.truth["children"]["child"])


def test_descriptors(seen: Waiting) -> None:
    reads, writes = ("sock_recv", "add_reader", "reads_stream"), ("sock_sendall", "add_writer", "drains")
    for name in (*reads, *writes):
        leaf = seen.leaf(name)
        assert (name, leaf.kind.reveal(), leaf.fd, leaf.writable) == (
            name,
            "future",
            seen.truth["fds"][name],
            name in writes,
        )
    output = seen.leaf("child's output")
    assert (output.fd, output.writable) == (seen.truth["fds"]["child's output stdout"], False)


def test_nothing_known(seen: Waiting) -> None:
    leaf = seen.leaf("future")
    assert leaf.kind.reveal() == "future"
    known = (leaf.task, leaf.fd, leaf.deadline_at, leaf.lock, leaf.thread, leaf.job, leaf.process, leaf.children)
    assert not any(known)


@pytest.fixture(scope="session")
def report() -> str:
    """What the command says of the program, on the tests' own interpreter."""
    with patients.start(sys.executable, "waiting.py") as patient:
        command = [sys.executable, "-m", "qqdiag", "inspect", str(patient.pid), "--interval", "0"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Tasks (" in shown.stdout, shown.stderr
    return shown.stdout


@pytest.mark.parametrize(
    "pattern",
    [
        r"back to Task-\d+: each of these tasks waits for a lock that the next one holds",
        r"back to Task-\d+: these tasks wait for each other for ever",
        r"waits for Lock, which is held by\n +Task-\d+, pending  <== here\n +awaited by Task-\d+, Task-\d+",
        r"waits for a Lock whose holder is not known",
        r"waits for a Semaphore held by Task-\d+, Task-\d+",
        r"waits for a job in thread \d+ ThreadPoolExecutor-\d_0, in blocks at reader/waiting.py:\d+",
        r"waits for a job that no worker has begun",
        r"waits for thread \d+ [^\n]+, in blocks at",
        r"waits for Task-\d+ in the loop of another thread",
        r"waits for child process \d+ to end",
        r"waits for fd \d+ to have bytes to read",
        r"waits for fd \d+ to take more bytes",
        r"waits for room in a Queue \(items: 1\)",
        r"waits for Future \(pending\)\n",
    ],
)
def test_the_report_says_it(report: str, pattern: str) -> None:
    assert re.search(pattern, report), report
