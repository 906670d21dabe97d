"""F01: a task waits in a library's close, and nothing will end that wait.

Nearest look-alike: a bounded close in progress. Its timer was set when our CLOSE went out and fires within the
library's limit; here there is no timer, or the close is older than the limit, because each message of a peer that
chatters on sets the timer anew.
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
from qqdiag.model import Missing, Name, Say, Seconds
from qqdiag.snapshot import LogEvent
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.closes import SLACK, Close, closes, restarted, tls_shutdown
from qqdiag.waits.outside import last_word
from qqdiag.waits.traffic import NO_TCP

ID = "close-hang"
SEVERITY = Severity.HANG
TITLE = "A close waits for a peer that will not answer"

YOUNG = 3.0  # seconds; a slow but willing peer has answered by then
ASKED = 30.0  # seconds; hermes-agent leaves a close after 20
OLD = 10.0  # seconds; every library's default limit is over by then


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        said = last_word(view)
        return Match((_told(said),)) if said and _asked_to_go(said) else Unknown(lacks)
    answers = [_judge(view, close) for close in closes(view)]
    if found := [answer for answer in answers if isinstance(answer, Finding)]:
        return Match(tuple(found))
    if unknown := [answer for answer in answers if isinstance(answer, Missing)]:
        return Unknown(tuple(dict.fromkeys(unknown)))
    return NoMatch(Say("no task waits in a library's close"))


def _asked_to_go(said: LogEvent) -> bool:
    """By the log alone: the platform asked for a new connection, and by now the old one would have been closed."""
    return said.event.reveal() == "server-reconnect" and said.age >= ASKED


def _told(said: LogEvent) -> Finding:
    because = Say("the next step is the close of that connection; where its listener waits could not be seen")
    summary = Say(
        "The platform asked for a new connection {age} ago, and the old one was not left.", age=Seconds(said.age)
    )
    return told_by_log(ID, Confidence.POSSIBLE, because, summary, said.event, said.age, _BLOCKED)


_BLOCKED = (Alternative("loop-blocked", Say("as root, its stack: whether the event loop turns")),)


def _judge(view: View, close: Close) -> Finding | Missing | None:
    if close.timers:
        return _with_timer(view, close)
    if close.same is False:
        return None
    if view.stopped or (close.same is None and close.age < OLD):
        return ONE_SAMPLE
    left = tls_shutdown(view, close)
    return _bounded(view, close, left) if left is not None else _without_timer(view, close)


def _with_timer(view: View, close: Close) -> Finding | Missing:
    alone = len(close.timers) == 1  # of several, one belongs to an enclosing timeout, which no message restarts
    if alone and restarted(view, close):
        return _restarted(view, close)
    if alone and close.tcp is None:
        return (view.lacks("gateway", "sockets") or (NO_TCP,))[0]
    return _bounded(view, close, max(0.0, close.timers[-1].when_at - view.now))


def _without_timer(view: View, close: Close) -> Finding:
    severity = Severity.DEGRADED if close.age < YOUNG else SEVERITY
    confidence = Confidence.CERTAIN if close.age >= OLD else Confidence.LIKELY
    because = Say("no timer of the event loop ends what it waits for")
    text = Say(
        "{task} waits in {close} for at least {age}; nothing in the process will end it.",
        task=_owner(close),
        close=close.level.name,
        age=Seconds(close.age),
    )
    return _finding(view, close, severity, confidence, because, text)


def _restarted(view: View, close: Close) -> Finding:
    late = close.limit is not None and close.age > close.limit + SLACK
    because = Say("its timer was set anew after the close had begun")
    text = Say(
        "{task} waits in {close} for at least {age}; each message of the peer sets its limit anew.",
        task=_owner(close),
        close=close.level.name,
        age=Seconds(close.age),
    )
    return _finding(view, close, SEVERITY, Confidence.CERTAIN if late else Confidence.LIKELY, because, text)


def _bounded(view: View, close: Close, left: float) -> Finding:
    because = Say("the event loop holds a timer that ends what it waits for")
    text = Say("{task} closes a connection; a timer ends that in {left}.", task=_owner(close), left=Seconds(left))
    return _finding(view, close, Severity.INFO, Confidence.CERTAIN, because, text)


def _owner(close: Close) -> Name:
    return close.task.chain[0].name


def _finding(view: View, close: Close, severity: Severity, sure: Confidence, because: Say, text: Say) -> Finding:
    return Finding(
        id=ID,
        severity=severity,
        confidence=sure,
        because=because,
        summary=text,
        evidence=tuple(_evidence(view, close)),
        ruled_out=(
            RuledOut("write-stuck", Say("the chain does not end in the writer's drain")),
            RuledOut("loop-blocked", Say("the event loop turns: other tasks go on")),
        ),
        tasks=(close.task.address,),
        sockets=(close.fd,) if close.fd is not None else (),
    )


def _evidence(view: View, close: Close) -> list[Evidence]:
    found = [seen("python", Say("the wait is {age} old at least", age=Seconds(close.age)), "s")]
    if close.same:
        found.append(seen("python", Say("the same call was there {ago} earlier", ago=Seconds(view.interval)), "s"))
    for timer in close.timers:
        left = Seconds(timer.when_at - view.now)
        found.append(
            seen("python", Say("a timer is due in {left}: {callback}", left=left, callback=timer.callback), "s")
        )
    if close.limit is not None:
        text = Say("its limit is {limit} for one message of the peer", limit=Seconds(close.limit))
        found.append(seen("gateway", text, "s"))
    if close.tcp is not None and close.fd is not None:
        sent, received = Seconds(close.tcp.last_data_sent), Seconds(close.tcp.last_data_received)
        text = Say(
            "last sent {sent} ago, last received {received} ago, fd {fd}", sent=sent, received=received, fd=close.fd
        )
        found.append(seen("sockets", text, "s"))
    return found
