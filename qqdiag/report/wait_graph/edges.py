"""The edges of the wait graph: from each unfinished task to what it cannot go on without, and from there onward."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from qqdiag.report.causes import Causes
from qqdiag.report.drawn import Kind, Link
from qqdiag.report.grouping import below, unfinished
from qqdiag.report.wait_graph.likeness import Arc
from qqdiag.snapshot import Leaf, Loop, Task

Key = tuple[Kind, int]

_MOST = 5000  # tasks that are looked at
_OF_DESCRIPTORS = ("future", "event", "condition", "wait", "shield")
_TASKS = ("task", "gather", "shield", "wait", "executor")
NO_WORKER = 0  # stands for the thread that no job has got


def arcs(known: Causes, reads: dict[int, int]) -> list[Arc[Key]]:
    """Every edge, each once, tasks in the order of the table. `reads`: by task the fd of the WebSocket it reads."""
    loops = {loop.address: loop for loop in known.python.loops}
    found: dict[Arc[Key], None] = {}
    for task in known.python.tasks[:_MOST]:
        if unfinished(task):
            found |= dict.fromkeys(_of_task(known, task, reads, loops.get(task.loop)))
    found = _without_lone_futures(found)
    held = dict.fromkeys(arc.target for arc in found if arc.target[0] is Kind.LOCK)
    for lock in held:
        found |= dict.fromkeys(Arc(lock, (Kind.TASK, task), Link.HELD) for task in _holders(known, lock[1]))
    for key in dict.fromkeys(arc.target for arc in found if arc.target[0] is Kind.LOOP):
        current = loops[key[1]].current_task
        if current in known.tasks:
            found[Arc(key, (Kind.TASK, current), Link.RUNS)] = None
    return list(found)


def _without_lone_futures(found: dict[Arc[Key], None]) -> dict[Arc[Key], None]:
    """A future for which one task alone waits says no more than that task's own box."""
    waiting = Counter(arc.target for arc in found)
    return {arc: None for arc in found if arc.target[0] is not Kind.FUTURE or waiting[arc.target] > 1}


def _holders(known: Causes, lock: int) -> list[int]:
    return [task for task in known.locks[lock].holders if task in known.tasks and unfinished(known.tasks[task])]


def _of_task(known: Causes, task: Task, reads: dict[int, int], loop: Loop | None) -> Iterator[Arc[Key]]:
    here = Kind.TASK, task.address
    leaf = task.leaf
    if leaf is None or task.state.reveal() != "pending":
        return
    if loop is not None and _waits_for_its_turn(known, leaf, loop):
        yield Arc(here, (Kind.LOOP, loop.address), Link.WAITS)
        return
    targets = list(_targets(known, task, leaf, reads))
    yield from (Arc(here, target, Link.WAITS) for target in targets)
    if leaf.kind.reveal() in ("lock", "semaphore") and not targets and leaf.task in known.tasks:
        yield Arc(here, (Kind.TASK, leaf.task), Link.HELD)


def _waits_for_its_turn(known: Causes, leaf: Leaf, loop: Loop) -> bool:
    """It is ready to run, or its timer is due, and another task has the loop."""
    if loop.current_task is None:
        return False
    due = leaf.deadline_at is not None and leaf.deadline_at < known.python.taken_at
    return due or leaf.kind.reveal() == "nothing"


def _targets(known: Causes, task: Task, leaf: Leaf, reads: dict[int, int]) -> Iterator[Key]:
    kind = leaf.kind.reveal()
    if leaf.lock is not None and leaf.lock in known.locks:
        yield Kind.LOCK, leaf.lock
    elif leaf.process is not None:
        yield Kind.PROCESS, leaf.process
    elif leaf.thread is not None:
        yield Kind.THREAD, leaf.thread
    elif kind == "executor" and leaf.job is not None and leaf.job.reveal() == "pending":
        yield Kind.THREAD, NO_WORKER
    elif tasks := _awaited(known, task, leaf):
        yield from ((Kind.TASK, other) for other in tasks)
    elif kind in _OF_DESCRIPTORS and (fd := reads.get(task.address) if leaf.fd is None else leaf.fd) is not None:
        yield Kind.SOCKET, fd
    elif kind not in ("timer", "nothing", "lock", "semaphore"):
        yield Kind.FUTURE, leaf.address


def _awaited(known: Causes, task: Task, leaf: Leaf) -> list[int]:
    """The tasks that it waits for; of the task groups that it leaves, those that are not done."""
    if leaf.kind.reveal() in _TASKS:
        wanted = dict.fromkeys([leaf.address, leaf.task, *leaf.children])
        found = [one for one in wanted if one in known.tasks and unfinished(known.tasks[one])]
        return [one for one in found if one is not None]
    at_its_groups_end = any(level.name.reveal() == "TaskGroup.__aexit__" for level in task.chain[-2:])
    return [one.address for one in below(known.tasks, task) if unfinished(one)] if at_its_groups_end else []
