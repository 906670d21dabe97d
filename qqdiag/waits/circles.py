"""Tasks that wait for each other in a circle, so that none of them can go on.

Only waits that need what they wait for are followed: another task, each child of a gather, the one holder of a lock.
Where a wait may also end in another way (asyncio.wait, a condition, a queue) nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.snapshot import Task
from qqdiag.waits import View
from qqdiag.waits.graph import timers_of

HOLDERS = frozenset({"lock", "semaphore"})  # leaves whose `task` is who holds what is waited for
JOINS = frozenset({"task", "shield", "executor"})  # leaves whose `task` is waited for itself
Edges = dict[int, list[int]]


@dataclass(frozen=True, slots=True)
class Circle:
    """Tasks each of which waits for the next, the last for the first."""

    tasks: list[Task]
    victims: list[Task]  # others that wait for one of them, directly or through others
    ends_in: float | None  # seconds to the timer that breaks it; None: there is none


def circles(view: View) -> list[Circle]:
    """Every circle among the pending tasks of the last sample; of tasks with several ways round, one."""
    edges = needs(view)
    bound = _trimmed(edges)  # these cannot go on: in a circle, or waiting for one
    found = [_circle(view, around) for around in _rounds(bound)]
    members = {task.address for circle in found for task in circle.tasks}
    return [_with_victims(view, circle, bound, members) for circle in found]


def needs(view: View) -> Edges:
    """By pending task: the pending tasks without which it cannot go on."""
    found: Edges = {}
    for task in view.tasks.values():
        wanted = [other for other in _wanted(task) if _pending(view.tasks.get(other))]
        if wanted and _pending(task):
            found[task.address] = wanted
    return found


def _wanted(task: Task) -> list[int]:
    leaf = task.leaf
    if leaf is None or leaf.state.reveal() != "pending":
        return []
    kind = leaf.kind.reveal()
    if kind == "gather":
        return leaf.children
    if kind in JOINS:
        return [leaf.address if leaf.task is None else leaf.task]
    return [leaf.task] if kind in HOLDERS and leaf.task is not None else []


def _pending(task: Task | None) -> bool:
    return task is not None and task.state.reveal() == "pending"


def _trimmed(edges: Edges) -> Edges:
    """Without the tasks that wait, in the end, for something else than a task of a circle."""
    waiting: Edges = {}
    for task, wanted in edges.items():
        for other in wanted:
            waiting.setdefault(other, []).append(task)
    count = {task: len(wanted) for task, wanted in edges.items()}
    free = [task for task in waiting if task not in edges]
    while free:
        for task in waiting.get(free.pop(), ()):
            count[task] -= 1
            if count[task] == 0:
                free.append(task)
    return {task: [other for other in edges[task] if count.get(other)] for task in edges if count[task]}


def _rounds(edges: Edges) -> list[list[int]]:
    """The circles that are met by going from each task to the first that it waits for."""
    found: list[list[int]] = []
    seen: set[int] = set()
    for start in edges:
        path: dict[int, int] = {}
        here = start
        while here not in seen:
            seen.add(here)
            path[here] = len(path)
            here = edges[here][0]
        if here in path:
            found.append(list(path)[path[here] :])
    return found


def _circle(view: View, around: list[int]) -> Circle:
    tasks = [view.tasks[address] for address in around]
    timers = [timer.when_at - view.now for task in tasks for timer in timers_of(view.graph, task)]
    return Circle(tasks, [], max(0.0, min(timers)) if timers else None)


def _with_victims(view: View, circle: Circle, edges: Edges, members: set[int]) -> Circle:
    """Those whose wait leads into this circle, which are in none themselves."""
    waiting: Edges = {}
    for task, wanted in edges.items():
        for other in wanted:
            waiting.setdefault(other, []).append(task)
    todo = [task.address for task in circle.tasks]
    seen = set(todo)
    victims = []
    while todo:
        for other in waiting.get(todo.pop(), ()):
            if other not in seen and other not in members:
                seen.add(other)
                todo.append(other)
                victims.append(view.tasks[other])
    return Circle(circle.tasks, victims, circle.ends_in)
