"""Recorded memory of real processes, harmed where the reader looks: 20,000 times an answer or a sentence, soon.

A task that is lost, one that is none, a chain that loops, a waiter that is not the leaf: each of them is said. What no
reader can see is a harm that leaves memory as a process might have left it: another WeakSet, with its own true count,
in the place of the set of all tasks while no task runs, or the end of the list of threads, which nobody counts, before
its end. Here a task runs, in the only thread: no reading is excused.

What failed is kept in the tests' cache, its seed beside it: python tests/reader/test_fuzz.py FILE reads it once more.
"""

from __future__ import annotations

import random
import resource
import sys
from collections import Counter
from pathlib import Path

import harmed
import msgspec
import patients
import pytest
from cached import cache
from harmed import HARMS, Harmed, Recorded, TooSlow, attempt
from interpreters import Interpreter

from qqdiag.memory.live import PAGE
from qqdiag.memory.source import Region
from qqdiag.snapshot import Python, Task

ROUNDS = 2_500  # for each of eight interpreters
SEARCHED = 40  # in each so many the interpreter is looked for, in all of the memory where the harm hides it
FRESH = 3  # in each so many types, code and modules are read anew, as in a first walk; else only what moves is
GROWTH = 400 << 20  # bytes that this process may grow by, over all rounds
SEEN = 0.8  # share of the harms that are aimed at bytes which the walk reads
ANSWERED = 0.5  # share of the readings that still give an answer


@pytest.fixture
def recorded(interpreter: Interpreter) -> Recorded:
    with patients.start(interpreter.path, "few.py") as few:
        return harmed.record_process(few.pid)


def harm(recorded: Recorded, number: int, seed: str) -> Harmed:
    chance = random.Random(seed)
    memory = Harmed(recorded.pages, recorded.regions)
    words = recorded.again if number % FRESH else recorded.first
    for index in range(chance.choice([1, 1, 1, 2, 8])):
        if number % SEARCHED == 0 and not index:
            at = chance.choice(recorded.finding)
        elif chance.random() < SEEN:
            at = chance.choice(words)
        else:
            at = chance.choice(list(recorded.pages)) + 8 * chance.randrange(PAGE // 8)
        if at & -PAGE in memory.pages:
            chance.choice(HARMS)(memory, chance, at, recorded)
    return memory


def read(recorded: Recorded, number: int, memory: Harmed) -> Python | None:
    if number % SEARCHED == 0:
        return attempt(memory)
    known = recorded.known
    return attempt(memory, known.interpreter, known if number % FRESH else None)


def contradictions(python: Python, truth: Python) -> list[str]:
    """What cannot be, and is not marked."""
    found, true = ({task.address for task in one.tasks} for one in (python, truth))
    said = [*(["a task twice"] if len(found) < len(python.tasks) else [])]
    if not python.doubts:
        said += [*(["a task is lost"] if true - found else []), *(["a task that is none"] if found - true else [])]
    for task in python.tasks:
        levels = [level.address for level in task.chain if level.address]
        if not task.doubts:
            said += [*(["a chain that loops"] if len(levels) > len(set(levels)) else [])]
            said += [*(["a waiter that is not the leaf"] if is_torn(task) else [])]
    return said


def is_torn(task: Task) -> bool:
    """Whether the task waits for something else than where its chain ends."""
    if task.state.reveal() != "pending" or not task.chain:
        return False
    last = task.chain[-1]
    end = last.address if last.kind.reveal() in ("future", "task") else None
    return end != task.waiter


def test_harmed_memory(interpreter: Interpreter, recorded: Recorded) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert contradictions(recorded.found, recorded.found) == []
    count: Counter[str] = Counter()
    for number in range(ROUNDS):
        seed = f"{interpreter.name}-{number}"
        memory = harm(recorded, number, seed)
        try:
            python = read(recorded, number, memory)
            assert python is None or contradictions(python, recorded.found) == []
        except (Exception, TooSlow) as error:
            error.add_note(f"seed {seed}, kept in {keep(memory, seed)}")
            raise
        count.update(hit=memory.hit, answered=python is not None)
    assert count["hit"] >= ROUNDS / 2, count
    assert count["answered"] >= ANSWERED * ROUNDS, count
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < GROWTH


# --- once more -------------------------------------------------------------------------------------------------------


def keep(memory: Harmed, seed: str) -> Path:
    path = cache() / f"fuzz-{seed}.msgpack"
    path.write_bytes(msgspec.msgpack.encode([memory.pages, memory.regions()]))
    return path


def again(path: Path) -> Python | None:
    pages, regions = msgspec.msgpack.decode(path.read_bytes(), type=tuple[dict[int, bytes], list[Region]])
    return attempt(Harmed(pages, regions))


if __name__ == "__main__":
    print(again(Path(sys.argv[1])))
