"""One request of a reconnect is not answered, and nothing ends it soon: the listener has no connection, and waits.

Nearest look-alike: a request that takes its time within a limit. The number that separates them is how many seconds
are left on the timer that gives it up: here minutes, or there is none, or each byte sets it anew.
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
    seen,
    told_by_log,
)
from qqdiag.model import Name, Say, Seconds
from qqdiag.snapshot import LogEvent
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.outside import last_word
from qqdiag.waits.reconnects import Request, requests

ID = "reconnect-stuck"
SEVERITY = Severity.HANG
TITLE = "A request of the reconnect is never answered"

SOON = 30.0  # seconds: the limit of a careful client
YOUNG = 1.0  # seconds; a server across the world has answered by then
LONG = 60.0  # seconds after which no server answers any more
BOUNDED = 420.0  # seconds: a pause of 60, two requests of 30 and a handshake of 300 (httpx and aiohttp's defaults)


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python", "gateway"):
        said = last_word(view) if view.python is None else None
        return Match((_told(said),)) if said and _overdue(said) else Unknown(lacks)
    if not (found := requests(view)):
        return NoMatch(Say("no task is in a request that leads to a WebSocket"))
    if all(request.same is None and request.age < LONG for request in found):
        return Unknown((ONE_SAMPLE,))
    if stuck := [_finding(view, request) for request in found if request.same or request.age >= LONG]:
        return Match(tuple(stuck))
    return NoMatch(Say("the request was begun after the first sample"))


def _overdue(said: LogEvent) -> bool:
    """By the log alone: an attempt was announced, and by now it would have failed or have come through."""
    delay = said.numbers[0] if said.numbers else 0.0
    return said.event.reveal() == "reconnecting" and said.age >= BOUNDED + max(0.0, delay)


def _told(said: LogEvent) -> Finding:
    because = Say("each step of an attempt has a limit that is over; which of them it waits in could not be seen")
    summary = Say("An attempt to reconnect was announced {age} ago, and nothing came of it.", age=Seconds(said.age))
    return told_by_log(ID, Confidence.POSSIBLE, because, summary, said.event, said.age, _STEPS)


_STEPS = (
    Alternative("close-hang", Say("as root, its await tree: whether it waits in a close of the old connection")),
    Alternative("executor-starved", Say("as root, its threads: whether all of its pool are busy")),
)


def _finding(view: View, request: Request) -> Finding:
    severity, confidence, because = _grade(request)
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=_summary(request),
        evidence=tuple(_evidence(view, request)),
        ruled_out=(
            RuledOut("reconnecting", Say("it is in an attempt, not asleep before one")),
            RuledOut("loop-blocked", Say("the event loop turns: other tasks go on")),
        ),
        alternatives=() if severity is SEVERITY else (_SLOW,),
        tasks=(request.task.address,),
        sockets=(request.fd,) if request.fd is not None else (),
    )


_SLOW = Alternative("slow-server", Say("a second look in half a minute: whether the answer has come"))


def _grade(request: Request) -> tuple[Severity, Confidence, Say]:
    if request.restarted:
        because = Say("the timer was set anew inside the same request: a drop now and then keeps it alive")
        return Severity.DEGRADED, Confidence.POSSIBLE, because
    if request.ends_in is not None:
        because = Say("a timer of the event loop gives it up")
        return Severity.INFO if request.ends_in <= SOON else Severity.DEGRADED, Confidence.CERTAIN, because
    because = Say("no timer of the event loop gives it up")
    if request.age >= LONG:
        return SEVERITY, Confidence.CERTAIN, because
    return Severity.INFO if request.age < YOUNG else Severity.DEGRADED, Confidence.LIKELY, because


def _name(request: Request) -> Name:
    return request.task.chain[0].name


def _summary(request: Request) -> Say:
    task, level, age = _name(request), request.level.name, Seconds(request.age)
    if request.restarted:
        return Say(
            "{task} waits in {level} for at least {age}, and its limit was set anew meanwhile.",
            task=task,
            level=level,
            age=age,
        )
    if request.ends_in is None:
        return Say(
            "{task} waits in {level} for at least {age}; nothing in the process will end it.",
            task=task,
            level=level,
            age=age,
        )
    left = Seconds(request.ends_in)
    return Say(
        "{task} waits in {level} for at least {age}; a timer ends that in {left}.",
        task=task,
        level=level,
        age=age,
        left=left,
    )


def _evidence(view: View, request: Request) -> list[Evidence]:
    found = [seen("python", Say("the request is {age} old at least", age=Seconds(request.age)), "s")]
    if request.same:
        ago = Seconds(view.interval)
        found.append(seen("python", Say("the same call was there {ago} earlier", ago=ago), "s"))
    if request.ends_in is not None:
        left = Seconds(request.ends_in)
        found.append(seen("python", Say("a timer gives it up in {left}", left=left), "s"))
    row = view.sockets.get(request.fd) if request.fd is not None else None
    if row is not None:
        found.append(seen("sockets", Say("its connection is {state}, fd {fd}", state=row.state, fd=row.fd)))
    if request.tcp is not None:
        sent, received = Seconds(request.tcp.last_data_sent), Seconds(request.tcp.last_data_received)
        found.append(
            seen("sockets", Say("asked {sent} ago, last byte {received} ago", sent=sent, received=received), "s")
        )
    return found
