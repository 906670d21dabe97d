"""F02: the listener spins without ever yielding, so that the whole event loop stands, at full CPU.

Nearest look-alike: a busy gateway. It returns to its selector and serves its timers within milliseconds; here a timer
that was due before the first sample is still unserved in the second.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown
from qqdiag.model import Name, Percent, Say, Seconds
from qqdiag.snapshot import Gateway, Task
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.loop_thread import Doing, LoopThread, loop_threads

ID = "hot-loop"
SEVERITY = Severity.HANG
TITLE = "The listener spins and the event loop stands"

PROVEN = 5.0  # seconds a timer must be late when nothing but the late timer speaks
NO_SYSTEM_CALLS = 5.0  # percent of the thread's CPU; a spin that yields polls its selector and spends far more


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    threads = loop_threads(view)
    found = [finding for thread in threads if (finding := _judge(view, thread)) is not None]
    if found:
        return Match(tuple(found))
    if any(thread.doing is Doing.UNKNOWN for thread in threads):
        return Unknown(view.lacks("process") or (ONE_SAMPLE,))
    if any(thread.doing is Doing.SPINNING for thread in threads):
        lacks = view.lacks("gateway")
        if lacks or view.earlier is None:
            return Unknown(lacks or (ONE_SAMPLE,))
    return NoMatch(Say("every event loop returns to its selector"))


def _judge(view: View, thread: LoopThread) -> Finding | None:
    if thread.doing is not Doing.SPINNING:
        return None
    task = view.tasks.get(thread.loop.current_task or 0)
    listens = task is not None and _listens_to_closed(view, task)
    stands = thread.overdue_throughout or thread.overdue >= PROVEN
    if listens and stands:
        return _finding(view, thread, task, Confidence.CERTAIN)
    if listens and _same_task(view, thread) and _without_system_calls(thread):
        return _finding(view, thread, task, Confidence.LIKELY)
    return _finding(view, thread, task, Confidence.POSSIBLE) if thread.overdue >= PROVEN else None


def _listens_to_closed(view: View, task: Task) -> bool:
    """Whether the running task is a listener, and each WebSocket that it holds is closed: receive returns at once."""
    gateway = view.last.gateway
    if not isinstance(gateway, Gateway):
        return False
    held = [ws for ws in gateway.websockets if task.address in ws.holders]
    named = any(adapter.listener == task.address for adapter in gateway.adapters)
    listens = named or task.address in gateway.listeners or any(task.address in ws.readers for ws in held)
    return listens and bool(held) and all(ws.closed for ws in held)


def _same_task(view: View, thread: LoopThread) -> bool:
    before = [loop.current_task for loop in view.before.loops] if view.before else []
    return thread.loop.current_task in before


def _without_system_calls(thread: LoopThread) -> bool:
    return thread.cpu is not None and thread.system is not None and thread.system <= thread.cpu * NO_SYSTEM_CALLS / 100


def _finding(view: View, thread: LoopThread, task: Task | None, confidence: Confidence) -> Finding:
    sure = confidence is not Confidence.POSSIBLE
    name = task.chain[0].name if task is not None and task.chain else Name("?")
    age = Seconds(max(thread.overdue, view.interval if thread.overdue_throughout else 0.0))
    return Finding(
        id=ID,
        severity=SEVERITY if sure else Severity.DEGRADED,
        confidence=confidence,
        because=_because(confidence),
        summary=_summary(sure, name, age),
        evidence=tuple(_evidence(view, thread, task)),
        ruled_out=_ruled_out(thread),
        alternatives=() if sure else (_ELSEWHERE,),
        tasks=(task.address,) if task is not None else (),
    )


_ELSEWHERE = Alternative(
    "loop-spinning",
    Say("the running task listens to no closed WebSocket; whether its work ends shows in a later inspection"),
)


def _because(confidence: Confidence) -> Say:
    if confidence is Confidence.CERTAIN:
        return Say("the running task listens to a WebSocket that is closed, and a due timer stays unserved")
    if confidence is Confidence.LIKELY:
        return Say("the same listener ran in both samples without a system call, but no timer was due to prove it")
    return Say("the loop does not turn, but what runs is not known to be a listener")


def _summary(sure: bool, name: Name, age: Seconds) -> Say:
    if sure:
        return Say(
            "The listener {name} spins without yielding; the event loop has not run for at least {age}.",
            name=name,
            age=age,
        )
    return Say(
        "A task, {name}, computes without yielding; the event loop has not run for at least {age}.", name=name, age=age
    )


def _evidence(view: View, thread: LoopThread, task: Task | None) -> list[Evidence]:
    found = [
        Evidence(
            Say("the earliest timer is {late} late", late=Seconds(thread.overdue)),
            "python",
            Seconds(thread.overdue),
            "s",
        )
    ]
    if thread.cpu is not None and thread.system is not None:
        cpu, system = Percent(thread.cpu), Percent(thread.system)
        text = Say("the loop's thread used {cpu} of a core, {system} in the kernel", cpu=cpu, system=system)
        found.append(Evidence(text, "process", cpu, "%"))
    if thread.switches is not None:
        text = Say("it gave up the CPU {count} times by itself in the interval", count=thread.switches)
        found.append(Evidence(text, "process", thread.switches, "switches"))
    closed = [ws for ws in view.websockets if task is not None and task.address in ws.holders and ws.closed]
    found += [Evidence(Say("the running task holds a closed {type}", type=ws.type), "gateway") for ws in closed]
    return found


def _ruled_out(thread: LoopThread) -> tuple[RuledOut, ...]:
    late = Seconds(thread.overdue)
    return (
        RuledOut("loop-blocked", Say("the thread computes, it does not sleep in a call")),
        RuledOut("busy", Say("a busy loop serves its timers; here one is {late} late", late=late)),
    )
