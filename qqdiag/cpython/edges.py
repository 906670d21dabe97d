"""Who awaits whom, from the other side: the tasks that wait for a task."""

from __future__ import annotations

from qqdiag.snapshot import Task


def link(tasks: list[Task]) -> None:
    """Fill in every task's `awaiters`. An edge through a lock leads to the task that holds it."""
    by_address = {task.address: task for task in tasks}
    for task in tasks:
        leaf = task.leaf
        if leaf is None or (leaf.task is None and not leaf.children):
            continue
        for address in dict.fromkeys([leaf.task, *leaf.children]):
            awaited = by_address.get(address) if address is not None else None
            if awaited is not None:
                awaited.awaiters.append(task.address)
