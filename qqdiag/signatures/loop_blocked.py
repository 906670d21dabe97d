"""F10: a synchronous call holds the event loop's thread. Every task waits for it, whatever they wait for.

Nearest look-alike: an idle loop, asleep in its selector; there the innermost frame is selectors.py's `select`.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import CodePath, Name, Percent, Say, Seconds, Word, times
from qqdiag.waits import ONE_SAMPLE, STOPPED, View
from qqdiag.waits.kernel_threads import word
from qqdiag.waits.loop_thread import Doing, LoopThread, loop_threads
from qqdiag.waits.loops import is_standard
from qqdiag.waits.outside import Standing, stands

ID = "loop-blocked"
SEVERITY = Severity.HANG
TITLE = "A synchronous call blocks the event loop"

PROVEN = 0.9  # seconds a timer must be late: a loop that turns is late by milliseconds
HANG = 5.0  # seconds from which a gateway's peers notice


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        standing = stands(view)
        return Match((_from_outside(standing),)) if standing else Unknown(lacks)
    threads = loop_threads(view)
    blocked = [thread for thread in threads if thread.doing is Doing.BLOCKED]
    if found := [_finding(view, thread) for thread in blocked if _long(thread)]:
        return Match(tuple(found))
    if any(thread.doing is Doing.STOPPED for thread in threads):
        return Unknown((STOPPED,))
    if any(thread.doing is Doing.UNKNOWN for thread in threads):
        return Unknown(view.lacks("process") or (ONE_SAMPLE,))
    if any(thread.same_frames is None for thread in blocked):
        return Unknown((ONE_SAMPLE,))
    return NoMatch(Say("no event loop stands in a synchronous call"))


def _long(thread: LoopThread) -> bool:
    """A late timer proves it in one sample; without timers, the same instructions and no context switch."""
    quiet = thread.switches is not None and thread.switches <= 10
    return thread.overdue >= PROVEN or (thread.same_frames is True and quiet)


def _finding(view: View, thread: LoopThread) -> Finding:
    age = max(thread.overdue, view.interval if thread.same_frames else 0.0)
    name, path, line = _place(view, thread, 0)
    starved = _waits_for_lock(view, thread)
    return Finding(
        id=ID,
        severity=SEVERITY if age >= HANG else Severity.DEGRADED,
        confidence=Confidence.LIKELY if starved else Confidence.CERTAIN,
        because=Say("the thread that must run the loop sleeps in another call, and a loop has only this thread"),
        summary=Say(
            "The event loop has not run for at least {age}: its thread stands in {where} ({path}:{line}).",
            age=Seconds(age),
            where=name,
            path=path,
            line=line,
        ),
        evidence=tuple(_evidence(view, thread)),
        ruled_out=tuple(_ruled_out(thread)),
        alternatives=(_STARVED,) if starved else (),
        tasks=(thread.loop.current_task,) if thread.loop.current_task else (),
    )


_STARVED = Alternative("loop-spinning", Say("whether another thread computes: it may hold the interpreter's lock"))


def _waits_for_lock(view: View, thread: LoopThread) -> bool:
    """Whether it asks for the interpreter's lock again and again: every 5 ms (Python/ceval_gil.c, CPython 3.11)."""
    call = thread.kernel.syscall.reveal() if thread.kernel and thread.kernel.syscall else ""
    return call == "futex" and thread.switches is not None and thread.switches > 50 * view.interval


def _place(view: View, thread: LoopThread, depth: int) -> tuple[Name, CodePath, int]:
    frame = thread.frames[depth] if depth < len(thread.frames) else None
    code = view.code(frame) if frame else None
    if frame is None or code is None:
        return Name("?"), CodePath("?"), 0
    return code.qualname, code.path, frame.line or code.first_line


def _caller(view: View, thread: LoopThread) -> int | None:
    """The innermost frame outside of the standard library."""
    for depth, frame in enumerate(thread.frames):
        code = view.code(frame)
        if view.python is not None and code is not None and not is_standard(view.python, code):
            return depth
    return None


def _evidence(view: View, thread: LoopThread) -> list[Evidence]:
    found = [seen("python", Say("the earliest timer is {late} late", late=Seconds(thread.overdue)), "s")]
    if caller := _caller(view, thread):
        name, path, line = _place(view, thread, caller)
        found.append(seen("python", Say("called from {name} ({path}:{line})", name=name, path=path, line=line)))
    if thread.kernel is not None:
        found.append(
            seen(
                "process",
                Say(
                    "thread {tid}: state {state}, system call {call}, kernel function {wchan}",
                    tid=thread.kernel.tid,
                    state=thread.kernel.state,
                    call=thread.kernel.syscall or Word("?"),
                    wchan=thread.kernel.wchan or Word("?"),
                ),
            )
        )
    if thread.same_frames:
        found.append(Evidence(Say("its Python stack stands at the same instructions in both samples"), "python"))
    return found


def _ruled_out(thread: LoopThread) -> list[RuledOut]:
    fell = [RuledOut("idle", Say("the innermost frame is not the selector's wait"))]
    if thread.cpu is not None:
        fell.append(RuledOut("hot-loop", Say("the thread used {cpu} of a core", cpu=Percent(thread.cpu))))
    return fell


# --- where no memory may be read -------------------------------------------------------------------------------------


def _from_outside(standing: Standing) -> Finding:
    """By the kernel alone: the process has an epoll, no thread waits in one, and the first sleeps in another call."""
    thread, age = standing.thread, max(standing.thread.seconds, standing.unread or 0.0)
    call, wchan = word(thread.now.syscall), word(thread.now.wchan)
    text = Say("thread {tid}: system call {call}, kernel function {wchan}", tid=thread.now.tid, call=call, wchan=wchan)
    ran = Say("it gave up the CPU {times} in {interval}", times=times(thread.rests), interval=Seconds(thread.seconds))
    found = [seen("process", text), seen("process", ran, "switches")]
    because = Say("its stack could not be read; a loop would wait in its selector, and no thread of it does")
    if standing.unread is not None:
        because = Say("bytes lie unread in a connection that its loop watches; a loop that turns reads them at once")
        found.append(seen("sockets", Say("unread for {age}", age=Seconds(standing.unread)), "s"))
    return Finding(
        id=ID,
        severity=SEVERITY if age >= HANG else Severity.DEGRADED,
        confidence=Confidence.POSSIBLE if standing.unread is None else Confidence.LIKELY,
        because=because,
        summary=Say(
            "No thread of the process has run an event loop for at least {age}: the first sleeps elsewhere.",
            age=Seconds(age),
        ),
        evidence=tuple(found),
        ruled_out=(RuledOut("idle", Say("an idle loop sleeps in its selector, this thread in {wchan}", wchan=wchan)),),
        alternatives=_UNSEEN,
    )


_UNSEEN = (
    Alternative("log-blocked", Say("as root, its stack: whether a log handler is on it")),
    Alternative("await-deadlock", Say("as root, its threads: whether the loop is in another one")),
)
