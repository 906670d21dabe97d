"""Who waits for whom, and which timers will end a wait."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from qqdiag.snapshot import Leaf, Python, Task, Timer

# Leaves through which a cancellation of who waits is passed on: not through a shield, asyncio.wait or a lock.
PASSES_ON = frozenset({"task", "gather"})
ENDS_WITH = frozenset({"task", "shield"})  # leaves that are done when the task that they name is


class Graph:
    """The tasks of one sample by address, and the edges between them.

    `waiting` has the pending tasks that wait for an address and would pass a cancellation on to it: a future, a task,
    or a child of a gather. `wakes` has the timers that complete or cancel what is at an address.
    """

    def __init__(self, python: Python | None) -> None:
        self.tasks: dict[int, Task] = {task.address: task for task in python.tasks} if python else {}
        self.waiting: dict[int, list[Task]] = defaultdict(list)
        self.wakes: dict[int, list[Timer]] = defaultdict(list)
        for task in self.tasks.values():
            if task.leaf is not None and task.state.reveal() == "pending":
                for address in _cancelled_with(task.leaf):
                    self.waiting[address].append(task)
        for timer in [timer for loop in python.loops for timer in loop.timers] if python else []:
            for address in timer.wakes:
                self.wakes[address].append(timer)


def _cancelled_with(leaf: Leaf) -> set[int]:
    """What a cancellation of who waits for the leaf cancels as well."""
    if leaf.kind.reveal() not in PASSES_ON:
        return {leaf.address}
    return {leaf.address, *leaf.children} | ({leaf.task} if leaf.task is not None else set())


def timers_of(graph: Graph, task: Task) -> list[Timer]:
    """The timers that will end what the task waits for, soonest first.

    A timer counts when it wakes the task, its leaf, or one further down; or one who waits for the task, whose
    cancellation is passed down (cpython Lib/asyncio/timeouts.py, Modules/_asynciomodule.c task_cancel). Of a gather
    every child must have one, because it waits for all.
    """
    wanted = dict.fromkeys([*_down(graph, task), *_up(graph, task)])
    found = [timer for address in wanted for timer in graph.wakes.get(address, ())]
    children = task.leaf.children if task.leaf else []
    if not found and children and all(child in graph.wakes for child in children):
        found = [timer for child in children for timer in graph.wakes[child]]
    return sorted({id(timer): timer for timer in found}.values(), key=lambda timer: timer.when_at)


def _down(graph: Graph, task: Task) -> Iterator[int]:
    """The task and the tasks that it waits for, one through the other, each with the future that it waits for."""
    seen: set[int] = set()
    here: Task | None = task
    while here is not None and here.address not in seen:
        seen.add(here.address)
        yield here.address
        if here.waiter is not None:
            yield here.waiter
        if here.leaf is None:
            return
        yield here.leaf.address
        inner = here.leaf.task if here.leaf.kind.reveal() in ENDS_WITH else here.leaf.address
        here = graph.tasks.get(inner or 0)


def _up(graph: Graph, task: Task) -> Iterator[int]:
    """The tasks that wait for it, and those that wait for them, each with the future that it waits for."""
    seen = {task.address}
    todo = [task.address]
    while todo:
        for other in graph.waiting.get(todo.pop(), ()):
            if other.leaf is not None and other.address not in seen:
                seen.add(other.address)
                todo.append(other.address)
                yield from (other.address, other.leaf.address)
