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
NOT_WALKED = Missing(
    Say("a task waits for a future, and whether anybody could complete it is seen in the heap only"),
    Say("walk the heap too: qqdiag inspect --deep PID"),
)
TORN_HEAP = Missing(
    Say("the walk over the heap was cut short, so that a future without a holder may have been missed"),
    Say("inspect it again when it does less: qqdiag inspect --deep PID"),
)


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    deep = view.snapshot.deep
    if deep is None:
        return _not_walked(view)
    if isinstance(deep, Missing):
        return Unknown((deep,))
    lost = [view.tasks[address] for address in deep.unreachable if address in view.tasks]
    if found := [_finding(view, task) for task in lost if task.state.reveal() == "pending"]:
        return Match(tuple(found))
    if not deep.complete:
        return Unknown((TORN_HEAP,))
    return NoMatch(Say("every future that a task waits for is held by somebody else as well"))


def _not_walked(view: View) -> NoMatch | Unknown:
    """The walk is asked for by hand; it is lacking only where a wait has nothing else that could end it."""
    if any(_could_be_lost(view, task) for task in view.tasks.values()):
        return Unknown((NOT_WALKED,))
    return NoMatch(Say("no task waits for a future with no socket, thread, timer or library behind it"))


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


def _finding(view: View, task: Task) -> Finding:
    timers = timers_of(view.graph, task)
    listens = task.address in [one.address for one in _listeners(view)]
    name = task.chain[0].name if task.chain else Name("?")
    severity = Severity.INFO if timers else SEVERITY if listens else Severity.DEGRADED
    because = Say("a future is completed by who refers to it, and its reference count leaves nobody")
    return Finding(
        id=ID,
        severity=severity,
        confidence=Confidence.CERTAIN,
        because=Say("a timer of the event loop ends the wait") if timers else because,
        summary=Say(
            "{task} waits for a {type} that nobody refers to: it will never be done.", task=name, type=_type(task)
        ),
        evidence=tuple(_evidence(view, task)),
        ruled_out=(
            RuledOut("waiting", Say("a future that somebody means to complete has {count} holder more", count=1)),
        ),
        tasks=(task.address,),
    )


def _type(task: Task) -> Name:
    return task.leaf.type if task.leaf is not None else Name("Future")


def _evidence(view: View, task: Task) -> list[Evidence]:
    deep = view.snapshot.deep
    found = [seen("python", Say("{count} references to the future beside those of the wait", count=0), "references")]
    if isinstance(deep, Deep):
        found.append(seen("python", Say("{objects} objects were looked at", objects=deep.objects), "objects"))
    for timer in timers_of(view.graph, task)[:1]:
        left = Seconds(timer.when_at - view.now)
        found.append(seen("python", Say("a timer is due in {left}", left=left), "s"))
    if task.awaiters:
        text = Say("{count} more tasks wait for this one", count=len(task.awaiters))
        found.append(seen("python", text, "tasks"))
    return found
