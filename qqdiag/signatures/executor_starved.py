"""F13: all threads of a pool are busy, and what is handed to it waits: name lookups, files, whole agent turns.

Nearest look-alike: a pool at work. Its jobs run; here a job that was there in the first sample has not been begun in
the second.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Name, Say, Seconds
from qqdiag.snapshot import PyThread, Task
from qqdiag.waits import ONE_SAMPLE, View, still

ID = "executor-starved"
SEVERITY = Severity.DEGRADED  # it goes on when a thread comes free
TITLE = "Jobs wait for a thread of a full pool"

WORKER = ("_worker", "concurrent/futures/thread.py")
SHOWN = 4  # busy threads that are written out


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    waiting = [task for task in view.tasks.values() if _job(task) == "pending"]
    if waiting and view.before is None:
        return Unknown((ONE_SAMPLE,))
    starved = [task for task in waiting if still(view, task) and _job(view.tasks_before[task.address]) == "pending"]
    if starved:
        return Match((_finding(view, starved),))
    if lacks := view.torn:
        return Unknown(lacks)
    return NoMatch(Say("no job waited for a thread from one sample to the next"))


def _job(task: Task) -> str:
    """How far the executor's job is that a pending task waits for."""
    if task.state.reveal() != "pending" or task.leaf is None or task.leaf.job is None or task.leaf.task is not None:
        return ""
    return task.leaf.job.reveal()


def _finding(view: View, starved: list[Task]) -> Finding:
    first = starved[0].chain[0].name if starved[0].chain else Name("?")
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=Confidence.CERTAIN,
        because=Say("a pool begins a job at once as long as it has a thread, and these were not begun"),
        summary=Say(
            "Jobs have waited for a thread of their pool for at least {age}: {count}, of {first} for one.",
            count=len(starved),
            first=first,
            age=Seconds(view.interval),
        ),
        evidence=tuple(_evidence(view, starved)),
        ruled_out=(RuledOut("slow-job", Say("jobs that were not even begun: {count}", count=len(starved))),),
        alternatives=(Alternative("burst", Say("a second look in a minute: whether the pool has caught up")),),
        tasks=tuple(task.address for task in starved),
    )


def _evidence(view: View, starved: list[Task]) -> list[Evidence]:
    running = sum(_job(task) == "running" for task in view.tasks.values())
    workers = [thread for thread in (view.python.threads if view.python else []) if _is_worker(view, thread)]
    busy = [thread for thread in workers if not _at(view, thread, 0)]
    found = [
        seen(
            "python", Say("jobs that wait: {count}, that run: {running}", count=len(starved), running=running), "jobs"
        ),
        seen("python", Say("{busy} of {count} pool threads work", busy=len(busy), count=len(workers)), "threads"),
    ]
    for thread in busy[:SHOWN]:
        code = view.code(thread.frames[0])
        if code is not None:
            line = thread.frames[0].line or code.first_line
            text = Say("one stands in {where} ({path}:{line})", where=code.qualname, path=code.path, line=line)
            found.append(seen("python", text))
    return found


def _is_worker(view: View, thread: PyThread) -> bool:
    return any(_at(view, thread, depth) for depth in range(len(thread.frames)))


def _at(view: View, thread: PyThread, depth: int) -> bool:
    """Whether that frame is the loop of a pool's thread, which takes one job after the other."""
    code = view.code(thread.frames[depth]) if depth < len(thread.frames) else None
    return code is not None and code.name.reveal() == WORKER[0] and code.path.reveal().endswith(WORKER[1])
