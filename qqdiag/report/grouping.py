"""Tasks as a forest of who waits for whom, equal trees counted together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from qqdiag.report.code import code_of
from qqdiag.snapshot import Level, Python, Task

_DEEPEST = 12  # edges from task to task that are followed
_MOST_STEPS = 100_000  # of shapes that are looked at: gathers of gathers have more ways down than can be gone

Shape = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks whose trees look the same; `tasks[0]` stands for all, those of a finding come first."""

    tasks: tuple[Task, ...]
    culprit: bool  # whether a finding speaks of one of them, or of one that they wait for


def groups(python: Python, culprits: set[int], known: set[int], endless: Collection[int] = ()) -> list[Group]:
    """The unfinished tasks that nobody waits for, and one of each ring of tasks.

    The culprits' trees come first, then what runs, then the `known` tasks of adapters, then the `endless` ones, which
    are no equals of others, then the largest groups.
    """
    tasks = {task.address: task for task in python.tasks}
    shapes: dict[Shape, list[Task]] = {}
    left = iter(range(_MOST_STEPS))
    for task in _roots(tasks):
        shape = task.address in endless, _shape(python, tasks, task, (), left)
        shapes.setdefault(shape, []).append(task)
    found = [_group(tasks, members, culprits) for members in shapes.values()]

    def rank(group: Group) -> tuple[bool, bool, bool, bool, int, int]:
        first = group.tasks[0]
        runs, ours = first.state.reveal() == "running", any(task.address in known for task in group.tasks)
        ends = first.address not in endless
        return not group.culprit, not runs, not ours, ends, -len(group.tasks), number(first)

    return sorted(found, key=rank)


def awaited(tasks: dict[int, Task], task: Task) -> list[Task]:
    """The tasks that a task waits for, in the order in which it names them."""
    leaf = task.leaf
    if leaf is None or task.state.reveal() != "pending":
        return []
    wanted = dict.fromkeys([leaf.address, leaf.task, *leaf.children])
    return [tasks[address] for address in wanted if address is not None and address in tasks]


def below(tasks: dict[int, Task], task: Task) -> list[Task]:
    """The tasks that are drawn below a task: those that it waits for, and those of the task groups that it has open."""
    found = awaited(tasks, task)
    return found + [tasks[one] for one in task.started if one in tasks and tasks[one] not in found]


def unfinished(task: Task) -> bool:
    return task.state.reveal() in ("pending", "running")


def _roots(tasks: dict[int, Task]) -> list[Task]:
    live = [task for task in tasks.values() if unfinished(task)]
    waited_for = {inner.address for task in live for inner in below(tasks, task) if inner is not task}
    roots = [task for task in live if task.address not in waited_for]
    reached = _reached(tasks, roots)
    for task in live:  # what is left now is only reached from itself: rings
        if task.address not in reached:
            roots.append(task)
            reached |= _reached(tasks, [task])
    return roots


def _reached(tasks: dict[int, Task], start: Iterable[Task]) -> set[int]:
    seen: set[int] = set()
    todo = list(start)
    while todo:
        task = todo.pop()
        if task.address not in seen:
            seen.add(task.address)
            todo += below(tasks, task)
    return seen


def _group(tasks: dict[int, Task], members: list[Task], culprits: set[int]) -> Group:
    members.sort(key=lambda task: (task.address not in culprits, number(task)))
    guilty = any(_reached(tasks, [task]) & culprits for task in members) if culprits else False
    return Group(tuple(members), guilty)


def number(task: Task) -> int:
    """7 of `Task-7`: in the order of their creation."""
    number = task.name.reveal().rpartition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0


def _shape(python: Python, tasks: dict[int, Task], task: Task, path: tuple[int, ...], left: Iterator[int]) -> Shape:
    """What a tree looks like when it is drawn, without names and addresses; without its lower parts when the steps
    that are `left` are used up."""
    if task.address in path:
        return ("ring", path.index(task.address))
    more = next(left, None) is not None
    leaf = task.leaf
    end: tuple[object, ...] = ()
    if leaf:
        end = leaf.kind.reveal(), leaf.state.reveal(), leaf.deadline_at is None, leaf.job, leaf.fd is None
    inner: tuple[object, ...] = ()
    if more and len(path) < _DEEPEST:
        inner = tuple(_shape(python, tasks, other, (*path, task.address), left) for other in below(tasks, task))
    return task.state.reveal(), tuple(_step(python, level) for level in task.chain), end, inner


def _step(python: Python, level: Level) -> Shape:
    code = code_of(python, level)
    return (code.qualname, code.path, level.line) if code else (level.name, level.kind)
