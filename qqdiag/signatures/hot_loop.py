"""F02: the listener spins without ever yielding, so that the whole event loop stands, at full CPU.

Nearest look-alike: a busy gateway. It returns to its selector and serves its timers within milliseconds; here a timer
that was due before the first sample is still unserved in the second.
"""

from __future__ import annotations

from qqdiag.finding import (
    Alternative,
    Confidence,
    Evidence,
    Finding,
    Match,
    NoMatch,
    RuledOut,
    Severity,
    Unknown,
    last_logged,
    seen,
)
from qqdiag.model import Name, Percent, Say, Seconds, times
from qqdiag.snapshot import LogEvent, Task
from qqdiag.waits import ONE_SAMPLE, STOPPED, View
from qqdiag.waits.kernel_threads import Between
from qqdiag.waits.listeners import listens_to_closed
from qqdiag.waits.loop_thread import Doing, LoopThread, loop_threads
from qqdiag.waits.outside import computes, is_hot, last_word

ID = "hot-loop"
SEVERITY = Severity.HANG
TITLE = "The listener spins and the event loop stands"

PROVEN = 5.0  # seconds a timer must be late when nothing but the late timer speaks
NO_SYSTEM_CALLS = 5.0  # percent of the thread's CPU; a spin that yields polls its selector and spends far more


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        thread, said = computes(view), last_word(view)
        return Match((_from_outside(thread, said),)) if thread and said and is_hot(said) else Unknown(lacks)
    threads = loop_threads(view)
    spinning = [thread for thread in threads if thread.doing is Doing.SPINNING]
    if found := [one for thread in spinning if (one := _judge(view, thread)) is not None]:
        return Match(tuple(found))
    if any(thread.doing is Doing.STOPPED for thread in threads):
        return Unknown((STOPPED,))
    if any(thread.doing is Doing.UNKNOWN for thread in threads):
        return Unknown(view.lacks("process") or (ONE_SAMPLE,))
    if spinning and (lacks := view.lacks("gateway") or (() if view.earlier else (ONE_SAMPLE,))):
        return Unknown(lacks)
    if spinning:
        return NoMatch(Say("an event loop computes, and what runs on it is no listener of a closed WebSocket"))
    return NoMatch(Say("every event loop returns to its selector"))


def _judge(view: View, thread: LoopThread) -> Finding | None:
    task = view.tasks.get(thread.loop.current_task or 0)
    listens = task is not None and listens_to_closed(view, task)
    if listens and (thread.overdue_throughout or thread.overdue >= PROVEN):
        because = Say("the running task listens to a WebSocket that is closed, and a due timer stays unserved")
        return _finding(view, thread, task, Confidence.CERTAIN, because)
    if listens and _same_task(view, thread) and _without_system_calls(thread):
        because = Say("the same listener ran in both samples without a system call, but no timer was due to prove it")
        return _finding(view, thread, task, Confidence.LIKELY, because)
    return None


def _same_task(view: View, thread: LoopThread) -> bool:
    before = [loop.current_task for loop in view.before.loops] if view.before else []
    return thread.loop.current_task in before


def _without_system_calls(thread: LoopThread) -> bool:
    return thread.cpu is not None and thread.system is not None and thread.system <= thread.cpu * NO_SYSTEM_CALLS / 100


def _finding(view: View, thread: LoopThread, task: Task | None, confidence: Confidence, because: Say) -> Finding:
    name = task.chain[0].name if task is not None and task.chain else Name("?")
    age = Seconds(max(thread.overdue, view.interval if thread.overdue_throughout else 0.0))
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=confidence,
        because=because,
        summary=_spins(name, age),
        evidence=tuple(_evidence(view, thread, task)),
        ruled_out=(
            RuledOut("loop-blocked", Say("the thread computes, it does not sleep in a call")),
            RuledOut(
                "busy", Say("a busy loop serves its timers; here one is {late} late", late=Seconds(thread.overdue))
            ),
        ),
        tasks=(task.address,) if task is not None else (),
    )


def _spins(name: Name, age: Seconds) -> Say:
    return Say("The listener {name} spins without yielding; the event loop has not run for {age}.", name=name, age=age)


def _evidence(view: View, thread: LoopThread, task: Task | None) -> list[Evidence]:
    found = [seen("python", Say("the earliest timer is {late} late", late=Seconds(thread.overdue)), "s")]
    if thread.cpu is not None and thread.system is not None:
        cpu, system = Percent(thread.cpu), Percent(thread.system)
        found.append(
            seen("process", Say("the loop's thread used {cpu}, {system} in the kernel", cpu=cpu, system=system), "%")
        )
    if thread.switches is not None:
        text = Say("it gave up the CPU by itself {times} in the interval", times=times(thread.switches))
        found.append(seen("process", text, "switches"))
    closed = [ws for ws in view.websockets if task is not None and task.address in ws.holders and ws.closed]
    return found + [seen("gateway", Say("the running task holds a closed {type}", type=ws.type)) for ws in closed]


# --- where no memory may be read -------------------------------------------------------------------------------------


def _from_outside(thread: Between, said: LogEvent) -> Finding:
    """By the kernel and the log: a failed reconnect, and since then nothing but CPU."""
    used = Say("its first thread used {cpu} of a core", cpu=Percent(thread.cpu))
    rests = Say("it gave up the CPU by itself {times} in the interval", times=times(thread.rests))
    last = last_logged(said.event, said.age)
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=Confidence.LIKELY,
        because=Say("its stack could not be read; a reconnect failed, and a thread that never rests logs no next one"),
        summary=Say(
            "A reconnect failed {age} ago, and since then the first thread computes without resting.",
            age=Seconds(said.age),
        ),
        evidence=(seen("process", used, "%"), seen("process", rests, "switches"), last),
        ruled_out=(RuledOut("dead-listener", Say("{cpu} of a core are used", cpu=Percent(thread.cpu))),),
        alternatives=(Alternative("loop-spinning", Say("as root, its stack: what it computes")),),
    )
