"""A thread stands in the kernel and waits for a file system that does not answer: a disk, an NFS server, a FUSE daemon.

Nearest look-alike: a busy disk. Its threads are found in state D as well, but each answer lets a thread run: it gives
up the CPU tens of times a second. Here it ran not once, in the same call with the same arguments. A full pipe holds a
write too, and is of no file system.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Bytes, Missing, Percent, Say, Seconds, Word, times
from qqdiag.snapshot import OsThread, Process
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.disks import Stuck, possible, stuck
from qqdiag.waits.kernel_threads import word
from qqdiag.waits.loop_thread import loop_threads

ID = "disk-stall"
SEVERITY = Severity.HANG
TITLE = "A thread waits for a file system that does not answer"

HANG = 5.0  # seconds that the loop stands: a slow fsync takes a second or two


def match(view: View) -> Match | NoMatch | Unknown:
    if view.snapshot.origin == Word("core"):
        return NoMatch(Say("a core file is of a process that has ended"))
    if lacks := view.lacks("process"):
        return Unknown(lacks)
    if view.earlier is None or isinstance(view.earlier.process, Missing):
        return Unknown((ONE_SAMPLE,)) if possible(view) else NoMatch(_NONE)
    found = stuck(view)
    return Match(tuple(_finding(view, one) for one in found)) if found else NoMatch(_NONE)


_NONE = Say("no thread stands in a call of a file system")


def _finding(view: View, one: Stuck) -> Finding:
    age = max(one.between.seconds, _late(view, one.between.now))
    confidence, because = _confidence(one)
    return Finding(
        id=ID,
        severity=SEVERITY if one.of_loop and age >= HANG else Severity.DEGRADED,
        confidence=confidence,
        because=because,
        summary=_summary(one, Seconds(age)),
        evidence=tuple(_evidence(view, one)),
        ruled_out=_ruled_out(one),
        alternatives=_alternatives(one),
        tasks=tuple(_tasks(view, one.between.now)),
    )


def _alternatives(one: Stuck) -> tuple[Alternative, ...]:
    if one.known:
        return ()
    if one.hidden:
        decides = Say("as root the kernel function that it sleeps in: a freezer stops it as well")
        return (Alternative("process-stopped", decides),)
    return (Alternative("driver", Say("what the kernel function {wchan} is of", wchan=word(one.between.now.wchan))),)


def _late(view: View, thread: OsThread) -> float:
    return max([one.overdue for one in loop_threads(view) if one.loop.thread == thread.tid], default=0.0)


def _tasks(view: View, thread: OsThread) -> list[int]:
    loops = [loop for loop in view.loops.values() if loop.thread == thread.tid]
    return [loop.current_task for loop in loops if loop.current_task]


def _confidence(one: Stuck) -> tuple[Confidence, Say]:
    if not one.known and one.hidden:
        because = Say("in what it sleeps is hidden from this user; state D is of a disk nearly always")
        return Confidence.POSSIBLE, because
    if not one.known:
        because = Say("state D is of a disk nearly always, and its kernel function is not known to be")
        return Confidence.POSSIBLE, because
    if one.between.now.state.reveal() == "D":
        return Confidence.CERTAIN, Say(
            "in both samples it sleeps in the same call of a file system, where nothing but an answer wakes it"
        )
    return Confidence.LIKELY, Say("it sleeps in the same call of a file system in both samples, and did not run")


def _summary(one: Stuck, age: Seconds) -> Say:
    system = one.between.now.file_system or (Word("FUSE") if one.fuse else None)
    where = Say("a file system ({kind})", kind=system) if system else Say("a file system")
    if not one.of_loop:
        return Say("A thread has waited for {where} for at least {age}; it does not answer.", where=where, age=age)
    return Say("The event loop's thread has waited for {where} for at least {age}.", where=where, age=age)


def _evidence(view: View, one: Stuck) -> list[Evidence]:
    thread = one.between.now
    text = Say(
        "thread {tid}: state {state}, system call {call}, kernel function {wchan}",
        tid=thread.tid,
        state=thread.state,
        call=word(thread.syscall),
        wchan=word(thread.wchan),
    )
    apart = Seconds(one.between.seconds)
    ran = Say("it gave up the CPU {times} in {interval}", times=times(one.between.switches), interval=apart)
    return [seen("process", text), seen("process", ran, "switches"), *_pressure(view)]


def _pressure(view: View) -> list[Evidence]:
    now, before = view.last.process, view.earlier.process if view.earlier else None
    if not isinstance(now, Process) or not isinstance(before, Process):
        return []
    found = []
    seconds = view.last.taken_at - view.earlier.taken_at if view.earlier else 0.0
    if now.io_pressure is not None and before.io_pressure is not None and seconds > 0:
        share = Percent(min(100.0, 100.0 * max(0.0, now.io_pressure - before.io_pressure) / seconds))
        found.append(seen("process", Say("for {share} of the interval some task waited for a disk", share=share), "%"))
    if now.swapped:
        found.append(seen("process", Say("{size} of its memory are swapped out", size=Bytes(now.swapped)), "B"))
    return found


def _ruled_out(one: Stuck) -> tuple[RuledOut, ...]:
    ran = Say("a thread of it would have run at each answer; it ran {times}", times=times(one.between.switches))
    fell = [RuledOut("busy-disk", ran)]
    if one.known:
        fell.append(RuledOut("full-pipe", Say("it sleeps in {wchan}", wchan=word(one.between.now.wchan))))
    return tuple(fell)
