"""What the walk over the heap found: what no registry has, and waits that nothing can end."""

from __future__ import annotations

from qqdiag.model import Millis, Say, Seconds
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.snapshot import Deep, Orphan, Python, Snapshot

_MOST = 40


def deep_section(snapshot: Snapshot) -> Section[Cell] | None:
    """None where nobody asked for it, or where it is missing."""
    deep = snapshot.deep
    if not isinstance(deep, Deep):
        return None
    lines: list[Line[Cell]] = [*_unreachable(snapshot, deep)]
    lines += [_orphan(row) for row in deep.orphans[:_MOST]]
    if len(deep.orphans) > _MOST:
        lines.append(Line(Say("{count} more places", count=len(deep.orphans) - _MOST), mark=Mark.DIM))
    if not lines:
        lines.append(Line(Say("no task or coroutine that asyncio does not know, no wait that nothing can end")))
    lines.append(_cost(deep))
    return Section("heap", Say("Heap"), tuple(lines))


def _unreachable(snapshot: Snapshot, deep: Deep) -> list[Line[Cell]]:
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
    return found


def _orphan(row: Orphan) -> Line[Cell]:
    where = (
        Say("{path}:{line}", path=row.path, line=row.line) if row.path is not None and row.line is not None else None
    )
    if row.task is not None:
        text = Say("{task}, which asyncio does not list: {name}", task=row.task, name=row.name)
    elif row.state.reveal() == "created":
        text = Say("{count} x {name}, never awaited", count=row.count, name=row.name)
    else:
        text = Say("{count} x {name}, {state} in no task", count=row.count, name=row.name, state=row.state)
    return Line(text, mark=Mark.WARN, aside=where)


def _cost(deep: Deep) -> Line[Cell]:
    text = Say("{count} objects in {time}", count=deep.objects, time=Seconds(deep.seconds))
    if deep.pause:
        text = Say("{text}, paused for {pause}", text=text, pause=Millis(1e3 * deep.pause))
    if not deep.complete:
        text = Say("{text}; cut short, there may be more", text=text)
    return Line(text, mark=Mark.DIM)
