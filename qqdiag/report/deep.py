"""What the walk over the heap found: what no registry has, drawn as await trees, and waits that nothing can end."""

from __future__ import annotations

from qqdiag.model import CodePath, Millis, Say, Seconds
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.snapshot import Deep, Orphan, Python, Snapshot

_MOST = 40


def deep_section(snapshot: Snapshot) -> Section[Cell] | None:
    """None where nobody asked for it, or where it is missing."""
    deep = snapshot.deep
    if not isinstance(deep, Deep):
        return None
    lines: list[Line[Cell]] = _endless(snapshot, deep)
    for row in deep.orphans[:_MOST]:
        lines += _orphan(row)
    if len(deep.orphans) > _MOST:
        lines.append(Line(Say("{count} more places", count=len(deep.orphans) - _MOST), mark=Mark.DIM))
    if not lines:
        lines.append(Line(Say("no task or coroutine that asyncio does not know, no wait that nothing can end")))
    lines.append(_cost(deep))
    return Section("heap", Say("Heap: tasks and coroutines that asyncio does not list"), tuple(lines))


def endless(snapshot: Snapshot) -> dict[int, Say]:
    """By task: that its wait has no end. Tasks that a timer cancels are not among these: that ends it."""
    deep, python = snapshot.deep, snapshot.samples[-1].python
    if not isinstance(python, Python):
        return {}
    timed = {address for loop in python.loops for timer in loop.timers for address in timer.wakes}
    alone = Say("nothing else refers to this future: it can never complete")
    others = Say("nothing that it waits for can ever complete")
    found = dict.fromkeys(python.unreachable or [], alone)
    if isinstance(deep, Deep):
        found = dict.fromkeys(deep.endless, others) | dict.fromkeys(deep.unreachable, alone)
    return {address: text for address, text in found.items() if address not in timed}


def _endless(snapshot: Snapshot, deep: Deep) -> list[Line[Cell]]:
    """By name: the tasks of the last sample, which was taken a moment before."""
    python = snapshot.samples[-1].python
    names = {task.address: task.name for task in python.tasks} if isinstance(python, Python) else {}
    found: list[Line[Cell]] = []
    for address in deep.unreachable[:_MOST]:
        name = Say("{name}", name=names[address]) if address in names else Say("a task")
        text = Say("{task} waits for a future that nothing else holds: only a cancellation can end that", task=name)
        found.append(Line(text, mark=Mark.BAD))
    if len(deep.unreachable) > _MOST:
        found.append(Line(Say("{count} more wait like that", count=len(deep.unreachable) - _MOST), mark=Mark.BAD))
    if deep.endless:
        text = Say("{count} more wait for nothing but such tasks and futures", count=len(deep.endless))
        found.append(Line(text, mark=Mark.BAD))
    return found


def _orphan(row: Orphan) -> list[Line[Cell]]:
    """What stands there, and below it what it awaits."""
    lines: list[Line[Cell]] = [Line(_heading(row), mark=Mark.WARN, aside=_place(row.path, row.line))]
    lines += [Line(Say("{name}", name=step.name), 1, aside=_place(step.path, step.line)) for step in row.chain]
    if row.waits is not None:
        lines.append(Line(Say("waits for {type}", type=row.waits), 1))
    return lines


def _heading(row: Orphan) -> Say:
    state = row.state.reveal()
    if row.task is not None:
        return Say("{task}, which asyncio does not list: {name}", task=row.task, name=row.name)
    if row.kind.reveal() == "async-generator" and state != "suspended":
        stands = Say("never begun") if state == "created" else Say("left at a yield, in no task's frame")
        return Say("{count} x {name}, an async generator, {stands}", count=row.count, name=row.name, stands=stands)
    if state == "created":
        return Say("{count} x {name}, never awaited", count=row.count, name=row.name)
    return Say("{count} x {name}, {state} in no task", count=row.count, name=row.name, state=row.state)


def _place(path: CodePath | None, line: int | None) -> Say | None:
    return Say("{path}:{line}", path=path, line=line) if path is not None and line else None


def _cost(deep: Deep) -> Line[Cell]:
    text = Say("{count} objects in {time}", count=deep.objects, time=Seconds(deep.seconds))
    if deep.pause:
        text = Say("{text}, paused for {pause}", text=text, pause=Millis(1e3 * deep.pause))
    if not deep.complete:
        text = Say("{text}; cut short, there may be more", text=text)
    return Line(text, mark=Mark.DIM)
