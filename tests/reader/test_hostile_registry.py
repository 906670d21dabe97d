"""The smallest harms to asyncio's books that once lost tasks without a word: each is said now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import harmed
import pytest
from harmed import Harmed, Recorded
from interpreters import Interpreter
from patients import Patient

from qqdiag.cpython.known import Known
from qqdiag.cpython.registry import WEAK_SETS
from qqdiag.cpython.runtime import Runtime, attach
from qqdiag.cpython.typeinfo import DICT

RECORDED: dict[Interpreter, Recorded] = {}


@pytest.fixture
def recorded(interpreter: Interpreter, zoo: Patient) -> Recorded:
    if interpreter not in RECORDED:
        RECORDED[interpreter] = harmed.record_process(zoo.pid)
    return RECORDED[interpreter]


def runtime_of(recorded: Recorded) -> Runtime:
    return attach(Harmed(recorded.pages, recorded.regions), Known(recorded.known.interpreter))


def books(recorded: Recorded) -> tuple[Runtime, int]:
    """The set within the WeakSet that has the most tasks."""
    runtime = runtime_of(recorded)
    module = runtime.module(runtime.interpreters[-1], "asyncio.tasks")
    assert module
    weak = runtime.globals_of(module, WEAK_SETS).values()
    sets = [data for address in weak if (data := runtime.objects.attribute(address, "data"))]
    return runtime, max(sets, key=lambda data: len(runtime.objects.items(data)))


def says(recorded: Recorded, harm: Callable[[Harmed], None]) -> set[str]:
    """What a reading says of the whole after the harm."""
    memory = Harmed(recorded.pages, recorded.regions)
    harm(memory)
    python = harmed.attempt(memory, recorded.known.interpreter)
    assert python is not None
    return {doubt.template for doubt in python.doubts}


def test_slot_that_reads_as_free(recorded: Recorded) -> None:
    runtime, data = books(recorded)
    table = runtime.objects.read_word(data + runtime.layout.set_table)
    slots = range(table, table + 16 * 1024, 16)
    taken = next(slot for slot in slots if runtime.objects.read_word(slot))
    assert "A set of tasks has {used} members by its own count, {found} were found." in says(
        recorded, lambda memory: memory.poke(taken, 0)
    )


def test_table_that_is_shorter(recorded: Recorded) -> None:
    runtime, data = books(recorded)
    assert "A set of tasks has {used} members by its own count, {found} were found." in says(
        recorded, lambda memory: memory.poke(data + runtime.layout.set_mask, 0)
    )


def test_set_that_is_none(recorded: Recorded) -> None:
    """The name of its type reads otherwise."""
    runtime, data = books(recorded)
    name = runtime.objects.read_word(runtime.objects.type_of(data).address + runtime.layout.type_name)

    def harm(memory: Harmed) -> None:
        memory.poke(name, int.from_bytes(b"nosuch\0\0", "little"))

    assert "What should be a set of tasks is none, at {address}." in says(recorded, harm)


@pytest.mark.parametrize("leads_to", ["nothing", "another's task"])
def test_reference_that_leads_elsewhere(recorded: Recorded, leads_to: str) -> None:
    runtime, data = books(recorded)
    one, other = runtime.objects.items(data)[:2]
    task = runtime.objects.referent(other) if leads_to == "another's task" else 0
    assert "Entries of the set of all tasks that lead to no task of their own: {count}." in says(
        recorded, lambda memory: memory.poke(one + runtime.layout.weakref_object, task or 0)
    )


def test_modules_that_are_no_dict(recorded: Recorded) -> None:
    """Nothing of asyncio is found then, neither its tasks nor a loop that runs. Up to 3.10 not even the version."""
    runtime = runtime_of(recorded)
    memory = Harmed(recorded.pages, recorded.regions)
    modules = runtime.objects.read_word(runtime.interpreters[-1] + runtime.layout.interpreter_modules)
    flags = runtime.objects.type_of(modules).address + runtime.layout.type_flags
    memory.poke(flags, memory.word(flags) & ~DICT)
    python = harmed.attempt(memory, recorded.known.interpreter)
    assert (python is None) == (runtime.version < (3, 11))
    if python is not None:
        said = {doubt.template for doubt in python.doubts}
        assert "The task registry of an interpreter could not be read: nothing at {address}." in said


@pytest.mark.parametrize("link", ["next", "previous"])
@pytest.mark.parametrize("leads_to", ["nothing", "the last but one", "itself"])
def test_ring_that_is_cut(recorded: Recorded, link: str, leads_to: str) -> None:
    """Since 3.14 C's tasks are in rings; one that ends early, or is not the same backwards, is no ring."""
    runtime = runtime_of(recorded)
    node = runtime.layout.task_node
    if node is None:
        assert runtime.version < (3, 14)
        return
    rows = Counter(task.loop for task in recorded.found.tasks)
    loop = rows.most_common(1)[0][0]
    first = next(task.address for task in recorded.found.tasks if task.loop == loop) + node
    other = {"nothing": 0, "the last but one": last_but_one(runtime, first), "itself": first}[leads_to]
    offset = {"next": 0, "previous": 8}[link]
    said = says(recorded, lambda memory: memory.poke(first + runtime.layout.node_next + offset, other))
    assert {template for template in said if template.startswith("A list of tasks")}


def last_but_one(runtime: Runtime, node: int) -> int:
    for _ in range(2):
        node = runtime.objects.read_word(node + runtime.layout.node_next + 8)
    return node
