"""F22: the gateway has not come up: it waits for a lock that another process holds, or no platform ever connected.

Nearest look-alikes: a slow start, which goes on and is over within minutes; and a loop that waits for a lock of a
file, which is `loop-blocked`: here no event loop runs yet. A gateway that was connected once since it began is up.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Say, Seconds, times
from qqdiag.snapshot import Logs, PlatformState, Process, Sockets
from qqdiag.waits import ONE_SAMPLE, STOPPED, View
from qqdiag.waits.kernel_threads import between, word
from qqdiag.waits.starts import Start, own_start

ID = "startup-stuck"
SEVERITY = Severity.HANG
TITLE = "The gateway has not come up"

SLOW = 60.0  # seconds: until then a predecessor may be ending, or a platform be connecting
ENDLESS = 600.0  # seconds: each platform may take half a minute (hermes-agent gateway/run.py)
STILL = 4  # times that a waiting thread may run in the interval: a stop for a copy makes it run once or twice
LOCKED = "_lock"  # end of an error that says that another gateway has the account


def match(view: View) -> Match | NoMatch | Unknown:
    if view.snapshot.origin.reveal() == "core":
        return NoMatch(Say("a core file is of a process that has ended"))
    if lacks := view.lacks("process"):
        return Unknown(lacks)
    if view.stopped:
        return Unknown((STOPPED,))
    answers = [_at_a_lock(view), *_by_its_word(view)]
    if found := [answer for answer in answers if isinstance(answer, Finding)]:
        return Match(tuple(found[:1]))
    logs = view.logs  # of which the gateway's own word is a part
    parts = (*answers, logs, logs.state if isinstance(logs, Logs) else None)
    lacks = tuple(part for part in parts if isinstance(part, Missing))
    return Unknown(lacks) if lacks else NoMatch(Say("it waits for no lock of a file, and says of no start that failed"))


# --- before the loop -------------------------------------------------------------------------------------------------


def _at_a_lock(view: View) -> Finding | Missing | None:
    """No loop runs, and its first thread waits for a lock of a file."""
    process = view.last.process
    if not isinstance(process, Process) or process.lock_holder is None or _has_loop(view):
        return None
    if view.python is not None and not view.python.has_asyncio:
        return None  # it will have none
    before = view.earlier.process if view.earlier else None
    if not isinstance(before, Process):
        return ONE_SAMPLE
    waiting = [one for one in between(view) if one.first and one.same_call and one.switches <= STILL]
    if before.lock_holder is None or not waiting:
        return None
    thread = waiting[0].now
    evidence = [
        seen("process", Say("it is {age} old", age=Seconds(process.uptime)), "s"),
        seen("process", Say("it ran {times} in the interval", times=times(waiting[0].switches)), "switches"),
        seen(
            "process",
            Say(
                "its first thread: system call {call}, kernel function {wchan}",
                call=word(thread.syscall),
                wchan=word(thread.wchan),
            ),
        ),
    ]
    closed = view.python is None
    return Finding(
        id=ID,
        severity=SEVERITY if process.uptime >= SLOW else Severity.DEGRADED,
        confidence=Confidence.POSSIBLE if closed else Confidence.LIKELY,
        because=_UNSEEN if closed else Say("no event loop of its runs, and its first thread did not go on"),
        summary=_waits(process),
        evidence=tuple(evidence),
        ruled_out=() if closed else (RuledOut("loop-blocked", Say("{count} event loops run", count=0)),),
        alternatives=(_LOOP,) if closed else (),
    )


_UNSEEN = Say("whether its event loop runs could not be seen")
_LOOP = Alternative("loop-blocked", Say("as root, its stack: whether an event loop is on it"))


def _waits(process: Process) -> Say:
    if not process.lock_holder:
        return Say("The process has not come up: it waits for a lock of a file that another one holds.")
    holder = process.lock_holder
    return Say("The process has not come up: it waits for a lock of a file that process {holder} holds.", holder=holder)


def _has_loop(view: View) -> bool:
    """Whether a loop runs; without the memory, whether an epoll of its watches something."""
    if view.python is not None:
        return any(loop.running for loop in view.loops.values())
    sockets = view.last.sockets
    return isinstance(sockets, Sockets) and any(row.epoll is not None for row in sockets.rows)


# --- by the gateway's own word ---------------------------------------------------------------------------------------


def _by_its_word(view: View) -> list[Finding]:
    start = own_start(view)
    if start is None:
        return []
    if locked := [one for one in start.platforms if one.error is not None and one.error.reveal().endswith(LOCKED)]:
        return [_refused(start, one) for one in locked]
    if start.connected or start.refused:
        return []
    if start.state == "starting" and start.age >= SLOW:
        text = Say("The gateway has been starting for {age}, and no platform has connected.", age=Seconds(start.age))
        severity = SEVERITY if start.age >= ENDLESS else Severity.DEGRADED
        return [_told(start, severity, Confidence.LIKELY, text)]
    if start.platforms and start.age >= SLOW and all(one.state.reveal() in _DOWN for one in start.platforms):
        text = Say("No platform of the gateway has connected since it began, {age} ago.", age=Seconds(start.age))
        return [_told(start, Severity.DEGRADED, Confidence.LIKELY, text)]
    return []


_DOWN = ("retrying", "fatal", "connecting")


def _refused(start: Start, one: PlatformState) -> Finding:
    text = Say(
        "{platform} was not started: another gateway has its account ({error}).",
        platform=one.name,
        error=one.error or one.state,
    )
    return _told(start, SEVERITY, Confidence.LIKELY, text)


def _told(start: Start, severity: Severity, confidence: Confidence, summary: Say) -> Finding:
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=Say("the gateway says so itself, and its log has no connection since it began"),
        summary=summary,
        evidence=tuple(_words(start)),
        ruled_out=(RuledOut("dead-listener", Say("{count} connections in its log since it began", count=0)),),
    )


def _words(start: Start) -> list[Evidence]:
    found = [seen("process", Say("it is {age} old", age=Seconds(start.age)), "s")]
    for one in start.platforms:
        text = Say("its state file says of {platform}: {state}", platform=one.name, state=one.state)
        error = one.error
        found.append(seen("logs", text if error is None else Say("{text} ({error})", text=text, error=error)))
    return found
