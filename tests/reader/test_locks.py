"""Locks that a running task holds: from the open blocks of its live stack, as the process itself knows it."""

from __future__ import annotations

import dis
import random

import patients
from interpreters import Interpreter

from qqdiag.cpython.open_blocks import depth_at
from qqdiag.snapshot import Lock

TRACED = ("lock", "own class", "semaphore", "condition", "of the condition", "stack", "manager")


def test_who_runs_and_holds(interpreter: Interpreter) -> None:
    """In two loops; what was left again, or taken by a plain `acquire`, has no known holder."""
    with patients.start(interpreter.path, "running.py") as patient:
        python, truth = patients.read(patient.pid), patient.truth
    locks = {lock.address: lock for lock in python.locks}
    states = {task.address: task.state.reveal() for task in python.tasks}
    for prefix, waiters in (("second", truth["others"]), ("first", truth["waiters"])):
        holder = truth["holders"][prefix]
        assert states[holder] == "running"
        found = {name: locks.get(truth["locks"][f"{prefix} {name}"]) for name in (*TRACED, "plain", "left again")}
        assert [name for name in TRACED if _holders(found[name]) != [holder]] == []
        assert (_holders(found["plain"]), found["plain"] and found["plain"].holder_known) == ([], False)
        assert found["left again"] is None
        for name in ("lock", "own class", "semaphore", "stack", "manager", "plain"):
            lock = found[name]
            assert lock is not None
            assert lock.waiters == [waiters[name]]
        assert found["of the condition"] is not None
        assert found["of the condition"].waiters == [waiters["condition"]]


def _holders(lock: Lock | None) -> list[int] | None:
    return lock and lock.holders


def written(numbers: list[int]) -> bytes:
    """Numbers as an exception table has them (Objects/exception_handling_notes.txt), the first of each four marked."""
    out = bytearray()
    for index, number in enumerate(numbers):
        digits = [number >> shift & 63 for shift in range(24, -1, -6)]
        while len(digits) > 1 and not digits[0]:
            del digits[0]
        entry = [digit | 64 for digit in digits[:-1]] + digits[-1:]
        entry[0] |= 0 if index % 4 else 128
        out += bytes(entry)
    return bytes(out)


def test_the_table_of_an_interpreter_is_read_as_it_reads_it() -> None:
    """Against `dis`, which knows the depth at each place of this function."""
    code = test_who_runs_and_holds.__code__
    entries = dis.Bytecode(code).exception_entries
    assert entries
    for unit in range(len(code.co_code) // 2):
        known = [entry.depth for entry in entries if entry.start <= 2 * unit < entry.end]
        assert depth_at(code.co_exceptiontable, unit) == (known[0] if known else 0)


def test_large_numbers_and_broken_tables() -> None:
    table = written([5, 100_000, 7, 2 * 9, 200_000, 10, 7, 3 << 1 | 1])
    assert [depth_at(table, unit) for unit in (4, 5, 100_004, 100_005, 200_001, 300_000)] == [0, 9, 9, 0, 3, 0]
    chance = random.Random(1)
    for _ in range(2_000):
        broken = bytes(chance.choices(range(256), k=chance.randrange(40)))
        assert 0 <= depth_at(broken, chance.randrange(1 << 20)) < 1 << 36
