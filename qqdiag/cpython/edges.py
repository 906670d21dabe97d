"""Who awaits whom, from the other side: the tasks that wait for a task."""

from __future__ import annotations

from qqdiag.snapshot import Task


def link(tasks: list[Task]) -> None:
    """Fill in every task's `awaiters`, and `started` with what the interpreter itself says (3.14+). An edge through a
    lock leads to the task that holds it."""
    by_address = {task.address: task for task in tasks}
    for task in tasks:
        leaf = task.leaf
        if leaf is None or (leaf.task is None and not leaf.children):
            continue
        for address in dict.fromkeys([leaf.task, *leaf.children]):
            awaited = by_address.get(address) if address is not None else None
            if awaited is not None:
                awaited.awaiters.append(task.address)
    for task in tasks:
        for address in task.awaited_by or ():
            _told(task, by_address.get(address))


def _told(task: Task, awaiter: Task | None) -> None:
    """An edge that the interpreter keeps although the awaiter stands at something else: `as_completed`, a race, a group
    that it has not left yet."""
    if awaiter is not None and awaiter.address not in task.awaiters:
        task.awaiters.append(awaiter.address)
        if task.address not in awaiter.started:
            awaiter.started.append(task.address)
