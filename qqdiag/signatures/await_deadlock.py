"""F11: tasks wait for each other in a circle, or for a lock whose holder waits for one that waits for the lock.

Nearest look-alike: a queue of tasks at a lock whose holder waits for something slow. Follow the waits: there they end
at a socket or a timer, here they come back to where they began.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Name, Say, Seconds
from qqdiag.snapshot import Task
from qqdiag.waits import TORN, View, still
from qqdiag.waits.circles import HOLDERS, Circle, circles

ID = "await-deadlock"
SEVERITY = Severity.HANG
TITLE = "Tasks wait for each other in a circle"

SHOWN = 6  # links of a circle that are written out


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    answers = [_judge(view, circle) for circle in circles(view)]
    if found := [answer for answer in answers if isinstance(answer, Finding)]:
        return Match(tuple(found))
    if unknown := [answer for answer in answers if isinstance(answer, Missing)] or list(view.torn):
        return Unknown(tuple(dict.fromkeys(unknown)))
    return NoMatch(Say("no task waits for one that waits for it"))


def _judge(view: View, circle: Circle) -> Finding | Missing | None:
    moved = [task for task in circle.tasks if still(view, task) is False]
    if moved:
        return None
    if view.python is not None and not view.python.complete:
        return TORN  # a reading of several moments may join waits that never were at the same time
    severity, confidence, because = _grade(view, circle)
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=_summary(circle),
        evidence=tuple(_evidence(circle)),
        ruled_out=(RuledOut("slow-holder", Say("the waits, followed one by one, end at no socket and no timer")),),
        alternatives=() if confidence is Confidence.CERTAIN else (_ABOUT_TO_END,),
        tasks=tuple(task.address for task in circle.tasks),
    )


_ABOUT_TO_END = Alternative("being-cancelled", Say("a second look: whether one of them was cancelled meanwhile"))


def _grade(view: View, circle: Circle) -> tuple[Severity, Confidence, Say]:
    if circle.ends_in is not None:
        return Severity.INFO, Confidence.CERTAIN, Say("a timer of the event loop breaks the circle")
    if any(task.cancelling for task in circle.tasks):
        return Severity.DEGRADED, Confidence.POSSIBLE, Say("one of them was asked to end, which may break the circle")
    if view.before is None:
        return SEVERITY, Confidence.LIKELY, Say("each waits for the next, and no timer ends any of the waits")
    if any(_links(task) == "semaphore" for task in circle.tasks):
        return SEVERITY, Confidence.LIKELY, Say("a semaphore may have been entered by others, who left no trace")
    because = Say("each waits for the next at the same instruction in both samples, and no timer ends any of the waits")
    return SEVERITY, Confidence.CERTAIN, because


def _summary(circle: Circle) -> Say:
    first, count = _name(circle.tasks[0]), len(circle.tasks)
    if circle.ends_in is not None:
        left = Seconds(circle.ends_in)
        return Say("{first} waits for itself through others; a timer ends that in {left}.", first=first, left=left)
    if count == 1:
        return Say("{first} waits for itself: it will never go on.", first=first)
    return Say(
        "{count} tasks wait for each other in a circle, {first} and {second} among them: none will ever go on.",
        count=count,
        first=first,
        second=_name(circle.tasks[1]),
    )


def _name(task: Task) -> Name:
    return task.chain[0].name if task.chain else task.type


def _links(task: Task) -> str:
    return task.leaf.kind.reveal() if task.leaf is not None else ""


def _evidence(circle: Circle) -> list[Evidence]:
    found = []
    for task, other in zip(circle.tasks[:SHOWN], [*circle.tasks[1:], circle.tasks[0]], strict=False):
        one, two = _name(task), _name(other)
        text = Say("{one} waits for {two}", one=one, two=two)
        if task.leaf is not None and _links(task) in HOLDERS:
            text = Say("{one} waits at a {kind} that {two} holds", one=one, kind=task.leaf.kind, two=two)
        found.append(seen("python", text))
    if circle.victims:
        text = Say("{count} more tasks wait for one of them", count=len(circle.victims))
        found.append(seen("python", text, "tasks"))
    return found
