"""How long each task has waited, and what will cancel it: as far as two samples, timers and the kernel know it."""

from __future__ import annotations

from collections.abc import Callable

from qqdiag.model import Missing, Say, Seconds
from qqdiag.report.causes import switches
from qqdiag.snapshot import Python, Snapshot, Task, Timer
from qqdiag.waits import View, still

_MOST_TIMERS = 3


def ages(snapshot: Snapshot) -> Callable[[Task], Say | None]:
    """What can be said of the age of a task's wait.

    Exact where asyncio keeps the delay of the timer. Otherwise at least the time between the samples, where the wait
    is certainly the same: it has the same timer, or the loop's thread never ran in between. Where task, future and
    instruction agree, but the loop ran, a new wait may stand at the old one's addresses: it is only said to stand at
    the same place.
    """
    view = View(snapshot)
    slept = _slept(snapshot)

    def age(task: Task) -> Say | None:
        leaf = task.leaf
        if leaf is None or task.state.reveal() != "pending":
            return None
        if leaf.began_at is not None and leaf.began_at <= view.now:
            return Say("for {age}", age=Seconds(view.now - leaf.began_at))
        if not still(view, task):
            return None
        before = view.tasks_before[task.address].leaf
        timed = leaf.deadline_at is not None and before is not None and before.deadline_at == leaf.deadline_at
        if timed or task.loop in slept:
            return Say("for at least {time}", time=Seconds(view.interval))
        return Say("at the same place as {time} before", time=Seconds(view.interval))

    return age


def _slept(snapshot: Snapshot) -> set[int]:
    """The loops whose thread did not run between the samples: it was never switched to."""
    if len(snapshot.samples) < 2:
        return set()
    now, before = (switches(sample) for sample in (snapshot.samples[-1], snapshot.samples[-2]))
    python = snapshot.samples[-1].python
    loops = [] if isinstance(python, Missing) else python.loops
    return {
        loop.address
        for loop in loops
        if loop.thread is not None and now.get(loop.thread) is not None and now[loop.thread] == before.get(loop.thread)
    }


def cancellations(python: Python) -> dict[int, list[Timer]]:
    """By task: the timers that cancel it, which is what `asyncio.timeout` and its like do; the soonest first."""
    tasks = {task.address for task in python.tasks}
    found: dict[int, list[Timer]] = {}
    for timer in sorted((timer for loop in python.loops for timer in loop.timers), key=lambda timer: timer.when_at):
        for address in timer.wakes:
            if address in tasks:
                found.setdefault(address, []).append(timer)
    return found


def scopes(python: Python, timers: list[Timer]) -> list[Say]:
    """One sentence for each timer that cancels a task."""
    return [_scope(timer, timer.when_at - python.taken_at) for timer in timers[:_MOST_TIMERS]]


def _scope(timer: Timer, left: float) -> Say:
    if left < 0:
        text = Say("a timer should have cancelled it {late} ago", late=Seconds(-left))
    else:
        text = Say("a timer cancels it in {left}", left=Seconds(left))
    return Say("{text} ({callback})", text=text, callback=timer.callback)
