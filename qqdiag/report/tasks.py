"""Await trees: each task with its chain, what the chain ends in, and the tasks it waits for drawn below it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from qqdiag.finding import Diagnosis
from qqdiag.model import Say, Seconds, times
from qqdiag.report import variables
from qqdiag.report.ages import ages, cancellations, scopes
from qqdiag.report.causes import Causes, cause, causes, names_of
from qqdiag.report.code import Sources, code_of, sourced, sources
from qqdiag.report.created import created
from qqdiag.report.deep import endless
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.report.grouping import Group, awaited, below, groups, number, unfinished
from qqdiag.snapshot import Gateway, Leaf, Level, Loop, Python, Snapshot, Task, Timer

_MOST_GROUPS = 40
_MOST_LINES = 600
_MOST_DONE = 20
_DEEPEST = 12
_LONGEST_CHAIN = 40
_ITERATORS = frozenset({"FutureIter", "coroutine_wrapper"})


@dataclass
class _Drawing:
    """What is needed while trees are drawn, and which tasks are drawn already."""

    python: Python
    culprits: set[int]
    tasks: dict[int, Task]
    reads: dict[int, int]  # fd of the WebSocket that a task reads, by the task
    causes: Causes
    endless: dict[int, Say]  # by task: that its wait has no end
    age: Callable[[Task], Say | None]
    cancelled: dict[int, list[Timer]]  # by task: the timers that cancel it
    sources: Sources
    made: dict[int, Say]  # where and when a task was created, as far as anything tells
    locals: variables.Frames = field(default_factory=dict)
    drawn: set[int] = field(default_factory=set)
    lines: list[Line[Cell]] = field(default_factory=list)


def task_section(snapshot: Snapshot, diagnosis: Diagnosis) -> Section[Cell] | None:
    """Loops first, then the trees, equal ones once with their number."""
    python = snapshot.samples[-1].python
    if not isinstance(python, Python):
        return None
    culprits = {task for finding in diagnosis.findings for task in finding.tasks}
    gateway = snapshot.samples[-1].gateway
    adapters, websockets = (gateway.adapters, gateway.websockets) if isinstance(gateway, Gateway) else ([], [])
    reads = {task: websocket.fd for websocket in websockets if websocket.fd for task in websocket.readers}
    known = {task for adapter in adapters for task in (adapter.listener, adapter.heartbeat) if task is not None}
    drawing = _Drawing(
        python,
        culprits,
        {task.address: task for task in python.tasks},
        reads,
        causes(snapshot.samples[-1], python),
        endless(snapshot),
        ages(snapshot),
        cancellations(python),
        sources(snapshot),
        created(snapshot, python),
        locals=variables.frames_of(python),
    )
    drawing.lines += [_loop(drawing, loop) for loop in python.loops]
    found = groups(python, culprits, known, drawing.endless.keys())
    for group in found[:_MOST_GROUPS]:
        if len(drawing.lines) < _MOST_LINES:
            _draw(drawing, group.tasks[0], (), 0, group)
    hidden = sum(len(group.tasks) for group in found[_MOST_GROUPS:])
    if hidden:
        drawing.lines.append(Line(Say("{count} more tasks with other chains", count=hidden), mark=Mark.DIM))
    _finished(drawing)
    title = Say("Tasks ({count})", count=len(python.tasks))
    return Section("tasks", title, tuple(drawing.lines) or (Line(Say("no asyncio task")),))


def _loop(drawing: _Drawing, loop: Loop) -> Line[Cell]:
    current = drawing.tasks.get(loop.current_task) if loop.current_task is not None else None
    if current is not None:
        doing = Say("running {task}", task=current.name)
    elif loop.ready:
        doing = Say("callbacks ready: {count}", count=loop.ready)
    else:
        doing = Say("nothing ready") if loop.ready == 0 else Say("its queue is C's and cannot be seen")
    text = Say("loop {type}: {doing}, {timers}", type=loop.type, doing=doing, timers=_timers(drawing.python, loop))
    return Line(text, mark=Mark.DIM)


def _timers(python: Python, loop: Loop) -> Say:
    if not loop.timers:
        return Say("nor can its timers") if loop.opaque else Say("no timer")
    due = min(timer.when_at for timer in loop.timers) - python.taken_at
    if due < 0:
        return Say("timers: {count}, the first overdue by {late}", count=len(loop.timers), late=Seconds(-due))
    return Say("timers: {count}, the first due in {due}", count=len(loop.timers), due=Seconds(due))


def _draw(drawing: _Drawing, task: Task, path: tuple[int, ...], depth: int, group: Group | None = None) -> None:
    if task.address in path:
        drawing.lines.append(Line(_ring(drawing, task, path[path.index(task.address) :]), depth, Mark.BAD))
        return
    if task.address in drawing.drawn and path:
        drawing.lines.append(Line(Say("{name}, drawn above", name=task.name), depth, Mark.DIM))
        return
    drawing.drawn.add(task.address)
    drawing.lines.append(_heading(drawing, task, depth, group))
    if len(task.awaiters) > 1:
        text = Say("awaited by {names}", names=names_of(drawing.causes, task.awaiters))
        drawing.lines.append(Line(text, depth + 1, Mark.DIM))
    for scope in scopes(drawing.python, drawing.cancelled.get(task.address, [])):
        drawing.lines.append(Line(scope, depth + 1, Mark.DIM))
    for level in _steps(task)[:_LONGEST_CHAIN]:
        drawing.lines.append(_level(drawing, level, depth + 1))
        drawing.lines += variables.lines(drawing.locals, drawing.tasks, task, level, depth + 2)
    if task.truncated or len(task.chain) > _LONGEST_CHAIN:
        drawing.lines.append(Line(Say("the chain goes on"), depth + 1, Mark.DIM))
    drawing.lines += [Line(Say("doubt: {doubt}", doubt=doubt), depth + 1, Mark.WARN) for doubt in task.doubts[:5]]
    _end(drawing, task, (*path, task.address), depth)
    _group(drawing, task, depth)


def _ring(drawing: _Drawing, first: Task, ring: tuple[int, ...]) -> Say:
    """Tasks that wait for each other: nothing but a timer that wakes one of them, or a cancellation, ends that."""
    leaves = [leaf for address in ring if (leaf := drawing.tasks[address].leaf)]
    if any(leaf.deadline_at is not None for leaf in leaves) or not drawing.causes.timed.isdisjoint(ring):
        return Say("back to {name}: these tasks wait for each other until a timer ends it", name=first.name)
    if any(leaf.lock is not None for leaf in leaves):
        return Say("back to {name}: each of these tasks waits for a lock that the next one holds", name=first.name)
    return Say("back to {name}: these tasks wait for each other for ever", name=first.name)


def _steps(task: Task) -> list[Level]:
    """The chain without what says nothing: the iterator around a future, and the leaf, which gets its own line."""
    leaf = task.leaf.address if task.leaf else None
    return [level for level in task.chain if level.code is not None or (level.address != leaf and not _wraps(level))]


def _wraps(level: Level) -> bool:
    return level.kind.reveal() == "wrapper" and level.name.reveal().rpartition(".")[2] in _ITERATORS


def _heading(drawing: _Drawing, task: Task, depth: int, group: Group | None) -> Line[Cell]:
    guilty = task.address in drawing.culprits
    name: Say = Say("{name}, {state}", name=task.name, state=task.state)
    if task.cancelling:
        name = Say("{name}, asked {times} to cancel", name=name, times=times(task.cancelling))
    if group is not None and len(group.tasks) > 1:
        others = group.tasks[1:4]
        name = Say("{count} x {first}; as {others}", count=len(group.tasks), first=name, others=_names(others, group))
    if guilty:
        return Line(Say("{name}  <== here", name=name), depth, Mark.BAD, drawing.made.get(task.address))
    return Line(name, depth, Mark.STRONG, drawing.made.get(task.address))


def _names(tasks: tuple[Task, ...], group: Group) -> Say:
    text = Say("{name}", name=tasks[0].name)
    for task in tasks[1:]:
        text = Say("{before}, {name}", before=text, name=task.name)
    return Say("{names} ...", names=text) if len(group.tasks) > len(tasks) + 1 else text


def _level(drawing: _Drawing, level: Level, depth: int) -> Line[Cell]:
    code = code_of(drawing.python, level)
    if code is not None:
        aside = sourced(drawing.python, level, drawing.sources)
        return Line(Say("{name}", name=code.qualname), depth, aside=aside)
    return Line(Say("{name} ({kind})", name=level.name, kind=level.kind), depth)


def _end(drawing: _Drawing, task: Task, path: tuple[int, ...], depth: int) -> None:
    leaf = task.leaf
    if leaf is None or task.state.reveal() != "pending":
        return
    inner = awaited(drawing.tasks, task)
    mark = Mark.BAD if task.address in drawing.culprits else Mark.PLAIN
    lines: list[Line[Cell]] = [Line(_waits(drawing, task, leaf, len(inner)), depth + 1, mark, drawing.age(task))]
    if task.address in drawing.endless:
        lines.insert(0 if inner else 1, Line(drawing.endless[task.address], depth + 1, Mark.BAD))
    drawing.lines += lines
    for other in inner[:_MOST_GROUPS]:
        if depth < _DEEPEST and len(drawing.lines) < _MOST_LINES:
            _draw(drawing, other, path, depth + 2)


def _group(drawing: _Drawing, task: Task, depth: int) -> None:
    """The tasks of the task groups that it has open, where it does not wait for these: it may wait for anything."""
    waited = {other.address for other in awaited(drawing.tasks, task)}
    started = [one for one in below(drawing.tasks, task) if one.address not in waited and unfinished(one)]
    if not started:
        return
    drawing.lines.append(Line(Say("tasks in groups that it has not left: {count}", count=len(started)), depth + 1))
    for other in sorted(started, key=number)[:_MOST_GROUPS]:
        if depth < _DEEPEST and len(drawing.lines) < _MOST_LINES:
            if other.address in drawing.drawn:
                drawing.lines.append(Line(Say("{name}, drawn above", name=other.name), depth + 2, Mark.DIM))
            else:
                _draw(drawing, other, (), depth + 2)


def _waits(drawing: _Drawing, task: Task, leaf: Leaf, tasks: int) -> Say:
    fd = drawing.reads.get(task.address) if leaf.fd is None else leaf.fd
    text = _drawn(drawing, task, leaf, tasks) or cause(drawing.causes, leaf, fd)
    text = text or Say("waits for {type} ({state})", type=leaf.type, state=leaf.state)
    return text if leaf.deadline_at is None else _timed(text, leaf.deadline_at - drawing.python.taken_at)


def _timed(text: Say, left: float) -> Say:
    if left < 0:
        return Say("{text}, its timer is overdue by {late}", text=text, late=Seconds(-left))
    return Say("{text}, a timer ends it in {left}", text=text, left=Seconds(left))


def _drawn(drawing: _Drawing, task: Task, leaf: Leaf, tasks: int) -> Say | None:
    """Where what it waits for is drawn below, or nothing."""
    kind = leaf.kind.reveal()
    if kind == "nothing":
        return Say("waits for nothing: it is ready to run")
    if kind == "timer" and any(level.name.reveal() == "sleep" for level in _steps(task)[-1:]):
        return Say("sleeps")
    if kind in ("task", "gather", "shield", "wait") and (tasks or leaf.children):
        return _parts(tasks, len([one for one in leaf.children if one not in drawing.tasks]))
    if kind in ("lock", "semaphore") and tasks:
        lock = drawing.causes.locks.get(leaf.lock) if leaf.lock is not None else None
        return Say("waits for {type}, which is held by", type=lock.type if lock else leaf.type)
    return None


def _parts(tasks: int, futures: int) -> Say:
    """Tasks are drawn below; plain futures are only counted."""
    one = Say("the task") if tasks == 1 else Say("{count} tasks", count=tasks)
    other = Say("a future") if futures == 1 else Say("{count} futures", count=futures)
    if tasks and futures:
        return Say("waits for {tasks} and {futures}", tasks=one, futures=other)
    return Say("waits for {parts}", parts=one if tasks else other)


def _finished(drawing: _Drawing) -> None:
    done = [task for task in drawing.python.tasks if not unfinished(task)]
    if done:
        text = Say("done, and something still refers to them: {count}", count=len(done))
        drawing.lines.append(Line(text, mark=Mark.DIM))
    for task in sorted(done, key=lambda task: task.address not in drawing.culprits)[:_MOST_DONE]:
        text = Say("{name}, {state}", name=task.name, state=task.state)
        if task.exception is not None:
            text = Say("{text} with {exception}", text=text, exception=task.exception)
        if task.exception_fetched is False:
            text = Say("{text}, which nobody has fetched", text=text)
        guilty = task.address in drawing.culprits
        drawing.lines.append(
            Line(Say("{text}  <== here", text=text) if guilty else text, 0, Mark.BAD if guilty else Mark.DIM)
        )
        if task.chain:
            drawing.lines.append(_level(drawing, task.chain[0], 1))
