"""A task waits for a future that nothing but the wait itself refers to: nobody is left who could complete it.

Nearest look-alike: a task that waits for a future which somebody keeps, to complete it some day. The number of
references to the future tells: here it has those of the wait and not one more.
"""

from __future__ import annotations

from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Name, Say, Seconds, Word
from qqdiag.snapshot import Deep, Gateway, Task
from qqdiag.waits import View, function
from qqdiag.waits.graph import timers_of
from qqdiag.waits.listeners import unfinished

ID = "never-completes"
SEVERITY = Severity.HANG
TITLE = "A task waits for a future that nobody can complete"

LIBRARIES = ("asyncio", "aiohttp", "websockets", "httpcore", "anyio")
NOT_COUNTED = Missing(
    Say("a task waits for a future, and how many refer to that was not counted"),
    Say("walk the heap too: qqdiag inspect --deep PID"),
)
TORN = Missing(
    Say("a task waits for a future, and references that are counted while they change prove nothing"),
    Say("inspect it with a pause, or when it does less: qqdiag inspect PID"),
)
TORN_HEAP = Missing(
    Say("the walk over the heap was cut short, so that a future without a holder may have been missed"),
    Say("inspect it again when it does less: qqdiag inspect --deep PID"),
)
ONE_MOMENT = ("asleep", "stopped", "frozen")  # methods whose reading is of one moment


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    lost = _lost(view)
    if isinstance(lost, Missing):
        return Unknown((lost,))
    tasks = [view.tasks[address] for address in lost if address in view.tasks]
    if found := _findings(view, [task for task in tasks if task.state.reveal() == "pending"]):
        return Match(tuple(found))
    deep = view.snapshot.deep
    if isinstance(deep, Deep) and not deep.complete:
        return Unknown((TORN_HEAP,))
    return NoMatch(Say("every future that a task waits for is held by somebody else as well"))


def _lost(view: View) -> list[int] | Missing:
    """The tasks whose future nobody else refers to: by the walk over the heap, where it was asked for, or else as the
    last sample counted it."""
    deep, python = view.snapshot.deep, view.python
    if isinstance(deep, Deep):
        return deep.unreachable
    if not any(_could_be_lost(view, task) for task in view.tasks.values()):
        return []
    if python is None or python.unreachable is None:
        return NOT_COUNTED
    return python.unreachable if python.method.reveal() in ONE_MOMENT else TORN


def _listeners(view: View) -> list[Task]:
    gateway = view.last.gateway
    if not isinstance(gateway, Gateway):
        return []
    named = [adapter.listener for adapter in gateway.adapters if adapter.listener is not None]
    addresses = [*named, *gateway.listeners, *(task for ws in gateway.websockets for task in ws.readers)]
    return [view.tasks[address] for address in dict.fromkeys(addresses) if address in view.tasks]


def _could_be_lost(view: View, task: Task) -> bool:
    """Whether it waits for a plain future with no socket, thread, task or timer behind it."""
    leaf = task.leaf
    if leaf is None or not unfinished(task) or leaf.kind != Word("future") or leaf.state != Word("pending"):
        return False
    known = leaf.fd is not None or leaf.thread is not None or leaf.task is not None or leaf.job is not None
    return not known and not _in_library(view, task) and not timers_of(view.graph, task)


def _in_library(view: View, task: Task) -> bool:
    """Whether a library that keeps what it waits for made the future: its transport completes that."""
    paths = [path for level in reversed(task.chain) if (path := function(view, level)[0])]
    return bool(paths) and any(f"/{library}/" in f"/{paths[0]}" for library in LIBRARIES)


def _findings(view: View, lost: list[Task]) -> list[Finding]:
    """One for all tasks of the same name and weight: a leak of such waits has thousands."""
    alike: dict[tuple[Name, Severity], list[Task]] = {}
    for task in lost:
        alike.setdefault((_name(task), _severity(view, task)), []).append(task)
    return [_finding(view, severity, tasks) for (_, severity), tasks in alike.items()]


def _severity(view: View, task: Task) -> Severity:
    if timers_of(view.graph, task):
        return Severity.INFO
    return SEVERITY if task.address in [one.address for one in _listeners(view)] else Severity.DEGRADED


def _finding(view: View, severity: Severity, tasks: list[Task]) -> Finding:
    timed = severity is Severity.INFO
    because = Say("a future is completed by who refers to it, and its reference count leaves nobody")
    return Finding(
        id=ID,
        severity=severity,
        confidence=Confidence.CERTAIN,
        because=Say("a timer of the event loop ends the wait") if timed else because,
        summary=_summary(tasks),
        evidence=tuple(_evidence(view, tasks)),
        ruled_out=(
            RuledOut("waiting", Say("a future that somebody means to complete has {count} holder more", count=1)),
        ),
        tasks=tuple(task.address for task in tasks),
    )


def _name(task: Task) -> Name:
    return task.chain[0].name if task.chain else Name("?")


def _summary(tasks: list[Task]) -> Say:
    first = tasks[0]
    if len(tasks) == 1:
        return Say(
            "{task} waits for a {type} that nobody refers to: it will never be done.",
            task=_name(first),
            type=_type(first),
        )
    return Say(
        "{count} tasks like {task} wait each for a {type} that nobody refers to: they will never be done.",
        count=len(tasks),
        task=_name(first),
        type=_type(first),
    )


def _type(task: Task) -> Name:
    return task.leaf.type if task.leaf is not None else Name("Future")


def _evidence(view: View, tasks: list[Task]) -> list[Evidence]:
    deep = view.snapshot.deep
    found = [seen("python", Say("{count} references to the future beside those of the wait", count=0), "references")]
    if isinstance(deep, Deep):
        found.append(seen("python", Say("{objects} objects were looked at", objects=deep.objects), "objects"))
    for timer in timers_of(view.graph, tasks[0])[:1]:
        left = Seconds(timer.when_at - view.now)
        found.append(seen("python", Say("a timer is due in {left}", left=left), "s"))
    if awaiters := sum(len(task.awaiters) for task in tasks):
        found.append(seen("python", Say("{count} more tasks wait for this", count=awaiters), "tasks"))
    return found
