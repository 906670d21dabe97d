"""F02b: the event loop's thread computes without an end, and no listener on a closed WebSocket is to blame.

Either one task never yields and the loop stands, or tasks yield at once again and again: the loop turns and never
sleeps. Nearest look-alike: a busy gateway. It goes to sleep between its messages, and its bytes move; here the thread
gave up the CPU not once, and not a byte came or went.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Name, Percent, Say, Seconds, times
from qqdiag.snapshot import Task
from qqdiag.waits import ONE_SAMPLE, STOPPED, View
from qqdiag.waits.kernel_threads import Between
from qqdiag.waits.listeners import listens_to_closed
from qqdiag.waits.loop_thread import Doing, LoopThread, loop_threads, runs
from qqdiag.waits.outside import computes, is_hot, last_word
from qqdiag.waits.traffic import moved_anywhere

ID = "loop-spinning"
SEVERITY = Severity.DEGRADED
TITLE = "The event loop's thread computes without an end"

PROVEN = 5.0  # seconds a timer must be late: a computation of a second or two is ordinary work
SLEEPS = 10  # times a second that a thread may give up the CPU by itself and yet never rest
FULL = 90.0  # percent of a core; more sleeps than that cannot be rest
NO_TIMER = Missing(
    Say("an event loop computes and has no timer that would show whether it turns"),
    Say("look for longer, and at the same time at the code: qqdiag inspect PID --interval 10"),
)


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        thread = computes(view)
        hot = thread is not None and is_hot(last_word(view))
        return Match((_from_outside(thread),)) if thread is not None and not hot else Unknown(lacks)
    threads = loop_threads(view)
    if any(thread.doing is Doing.STOPPED for thread in threads):
        return Unknown((STOPPED,))
    if any(thread.doing is Doing.UNKNOWN for thread in threads):
        return Unknown(view.lacks("process") or (ONE_SAMPLE,))
    answers = [_judge(view, thread) for thread in threads]
    if found := [answer for answer in answers if isinstance(answer, Finding)]:
        return Match(tuple(found))
    if unknown := [answer for answer in answers if isinstance(answer, Missing)]:
        return Unknown(tuple(dict.fromkeys(unknown)))
    return NoMatch(Say("the thread of every event loop rests, or serves what comes in"))


def _judge(view: View, thread: LoopThread) -> Finding | Missing | None:
    if thread.doing is Doing.SPINNING and (thread.overdue >= (view.interval / 2 or 1.0) or thread.overdue_throughout):
        return _standing(view, thread)
    if thread.doing is Doing.BLOCKED or (restless := _restless(view, thread)) is False:
        return None
    if restless is None:
        return (view.lacks("process") or (ONE_SAMPLE,))[0]
    moved = moved_anywhere(view)
    if moved is None:
        return (view.lacks("sockets") or (ONE_SAMPLE,))[0]
    if moved:
        return None
    if thread.doing is Doing.SPINNING and not thread.loop.timers:
        return NO_TIMER
    because = Say("its thread never slept, and not a byte came or went; it may be work that somebody asked for")
    return _finding(view, thread, Confidence.POSSIBLE, because, _turning(view, thread))


def _standing(view: View, thread: LoopThread) -> Finding | Missing | None:
    """One task never yields. A listener on a closed WebSocket that does is `hot-loop`."""
    if lacks := view.lacks("gateway"):
        return lacks[0]
    task = _running(view, thread)
    if thread.overdue < PROVEN or (task is not None and listens_to_closed(view, task)):
        return None
    because = Say("the loop does not turn; a long computation looks the same as one without an end")
    return _finding(view, thread, Confidence.POSSIBLE, because, _computing(task, thread.overdue))


def _running(view: View, thread: LoopThread) -> Task | None:
    return view.tasks.get(thread.loop.current_task or 0)


def _restless(view: View, thread: LoopThread) -> bool | None:
    """Whether the thread had the CPU, or waited for it, all the time; None: not known."""
    if thread.cpu is None or thread.switches is None:
        return None if thread.kernel is None or runs(thread.kernel) else False
    return thread.cpu >= FULL or (thread.awake is True and thread.switches <= SLEEPS * view.interval)


def _computing(task: Task | None, late: float) -> Say:
    name = task.chain[0].name if task is not None and task.chain else Name("?")
    age = Seconds(late)
    return Say("The task {name} computes without yielding; the event loop has not run for {age}.", name=name, age=age)


def _turning(view: View, thread: LoopThread) -> Say:
    cpu = Percent(thread.cpu or 0.0)
    return Say("The event loop turns without ever resting ({cpu} of a core), and nothing comes in.", cpu=cpu)


def _finding(view: View, thread: LoopThread, confidence: Confidence, because: Say, summary: Say) -> Finding:
    task = _running(view, thread)
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=confidence,
        because=because,
        summary=summary,
        evidence=tuple(_evidence(view, thread)),
        ruled_out=(
            RuledOut("loop-blocked", Say("the thread computes, it does not sleep in a call")),
            RuledOut("hot-loop", Say("what runs is no listener of a closed WebSocket")),
        ),
        alternatives=(Alternative("work", Say("a second look in a minute: whether its work has ended")),),
        tasks=(task.address,) if task is not None else (),
    )


def _evidence(view: View, thread: LoopThread) -> list[Evidence]:
    found = [seen("python", Say("the earliest timer is {late} late", late=Seconds(thread.overdue)), "s")]
    if thread.cpu is not None:
        text = Say("the loop's thread used {cpu} of a core", cpu=Percent(thread.cpu))
        found.append(seen("process", text, "%"))
    if thread.switches is not None:
        text = Say("it gave up the CPU by itself {times} in the interval", times=times(thread.switches))
        found.append(seen("process", text, "switches"))
    if moved_anywhere(view) is False:
        found.append(Evidence(Say("no TCP connection of the process moved a byte in the interval"), "sockets", 0, "B"))
    code = next((code for frame in thread.frames if (code := view.code(frame)) is not None), None)
    if code is not None:
        found.append(
            seen("python", Say("its innermost frame is {where} ({path})", where=code.qualname, path=code.path))
        )
    return found


# --- where no memory may be read -------------------------------------------------------------------------------------


def _from_outside(thread: Between) -> Finding:
    """By the kernel alone: the first thread of an interpreter computes; of what, nobody can tell."""
    used = Say("its first thread used {cpu} of a core", cpu=Percent(thread.cpu))
    rests = Say("it gave up the CPU by itself {times} in the interval", times=times(thread.rests))
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=Confidence.POSSIBLE,
        because=Say("what computes could not be read; it may be work that somebody asked for"),
        summary=Say(
            "The process's first thread computes without ever resting ({cpu} of a core).", cpu=Percent(thread.cpu)
        ),
        evidence=(seen("process", used, "%"), seen("process", rests, "switches")),
        ruled_out=(RuledOut("loop-blocked", Say("the thread computes, it does not sleep in a call")),),
        alternatives=(
            Alternative("hot-loop", Say("as root, its stack: whether a listener of a closed WebSocket is on it")),
            Alternative("work", Say("a second look in a minute: whether its work has ended")),
        ),
    )
