"""F01: a task waits in a library's close, and nothing will end that wait.

Nearest look-alike: a bounded close in progress. Its timer was set when our CLOSE went out and fires within the
library's limit; here there is no timer, or the close is older than the limit, because each message of a peer that
chatters on sets the timer anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.drains import close_level, drain_level
from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown
from qqdiag.model import Missing, Name, Say, Seconds
from qqdiag.snapshot import Level, Task, TcpInfo, Timer, WebSocket
from qqdiag.traffic import NO_TCP, tcp_of
from qqdiag.waits import ONE_SAMPLE, View, has_level, timers_of, turns

ID = "close-hang"
SEVERITY = Severity.HANG
TITLE = "A close waits for a peer that will not answer"

SLACK = 2.0  # seconds between the reads of sockets and memory, and a timer rounded up to a whole second by aiohttp
OLD = 10.0  # seconds; every library's default limit is over by then


@dataclass(frozen=True, slots=True)
class Close:
    """A close in progress and its numbers."""

    task: Task
    level: Level
    websocket: WebSocket | None
    fd: int | None
    tcp: TcpInfo | None
    timers: list[Timer]
    same: bool | None  # the same call was there in the earlier sample

    def age(self, interval: float) -> float:
        """At least so many seconds: a closing socket sends nothing after its CLOSE."""
        seen = interval if self.same else 0.0
        return max(seen, self.tcp.last_data_sent) if self.tcp else seen


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    answers = [_judge(view, close) for close in _closes(view)]
    if found := [answer for answer in answers if isinstance(answer, Finding)]:
        return Match(tuple(found))
    if unknown := [answer for answer in answers if isinstance(answer, Missing)]:
        return Unknown(tuple(dict.fromkeys(unknown)))
    return NoMatch(Say("no task waits in a library's close"))


def _closes(view: View) -> list[Close]:
    found = []
    for task in view.tasks.values():
        level = close_level(view, task) if task.state.reveal() == "pending" else None
        if level is not None and drain_level(view, task) is None and turns(view, task):
            found.append(_close(view, task, level))
    inner = {close.task.leaf.task or close.task.leaf.address for close in found if close.task.leaf}
    return [close for close in found if close.task.address not in inner]


def _close(view: View, task: Task, level: Level) -> Close:
    held = [ws for ws in view.websockets if task.address in ws.holders and (ws.closing or ws.closed)]
    websocket = next((ws for ws in held if ws.fd is not None), held[0] if held else None)
    fd = websocket.fd if websocket else _closing_fd(view, task)
    figures = tcp_of(view, fd)
    timers = timers_of(view.tasks, list(view.loops.values()), task)
    return Close(task, level, websocket, fd, figures[1] if figures else None, timers, has_level(view, task, level))


def _closing_fd(view: View, task: Task) -> int | None:
    """The socket of a session's close: a transport that is closing and still has bytes to send."""
    loop = view.loops.get(task.loop)
    return next((item.fd for item in loop.transports if item.closing and item.buffered), None) if loop else None


def _judge(view: View, close: Close) -> Finding | Missing | None:
    if close.timers:
        return _bounded(view, close)
    if close.same is False:
        return None
    if view.stopped or (close.same is None and close.tcp is None):
        return ONE_SAMPLE
    if _tls_shutdown(view, close) is not None:
        return _info(view, close, _tls_shutdown(view, close) or 0.0)
    sure = Confidence.CERTAIN if close.age(view.interval) >= OLD else Confidence.LIKELY
    return _hang(view, close, sure, Say("no timer of the event loop ends what it waits for"), _NO_LIMIT)


def _bounded(view: View, close: Close) -> Finding | Missing:
    left = max(0.0, close.timers[-1].when_at - view.now)
    limit = close.websocket.close_timeout if close.websocket else None
    if len(close.timers) == 1 and _restarted(view, close, limit):
        late = limit is not None and close.age(view.interval) > limit + SLACK
        sure = Confidence.CERTAIN if late else Confidence.LIKELY
        return _hang(view, close, sure, Say("its timer was set anew after the close had begun"), _RESTARTED)
    if close.tcp is None and len(close.timers) == 1:
        return (view.lacks("gateway", "sockets") or (NO_TCP,))[0]
    return _info(view, close, left)


def _restarted(view: View, close: Close, limit: float | None) -> bool:
    """Whether the peer's messages keep the close alive: older than its limit, or its timer younger than its CLOSE."""
    deadline, age = close.timers[0].when_at, close.age(view.interval)
    if limit is not None and close.tcp is not None and age > limit + SLACK:
        return True
    if limit is not None and close.tcp is not None and close.tcp.last_data_received + SLACK < age:
        return deadline - limit > view.now - age + SLACK
    before = view.tasks_before.get(close.task.address)
    loops = view.before.loops if view.before else []
    old = timers_of(view.tasks_before, loops, before) if before and close.same else []
    return bool(old) and old[0].when_at < deadline - 0.001


def _tls_shutdown(view: View, close: Close) -> float | None:
    """Seconds until asyncio aborts a TLS shutdown (Lib/asyncio/sslproto.py, 3.11+), when one is under way."""
    loop = view.loops.get(close.task.loop)
    times = (
        [timer.when_at - view.now for timer in loop.timers if "SSLProtocol" in timer.callback.reveal()] if loop else []
    )
    return max(0.0, max(times)) if times else None


_NO_LIMIT, _RESTARTED = "no limit", "restarted limit"


def _hang(view: View, close: Close, confidence: Confidence, because: Say, kind: str) -> Finding:
    task, place, age = _owner(close), close.level.name, Seconds(close.age(view.interval))
    if kind == _NO_LIMIT:
        text = Say(
            "{task} waits in {close} for at least {age}; nothing here will end it.", task=task, close=place, age=age
        )
    else:
        text = Say(
            "{task} waits in {close} for at least {age}; each message restarts its limit.",
            task=task,
            close=place,
            age=age,
        )
    return _finding(view, close, SEVERITY, confidence, because, text)


def _info(view: View, close: Close, left: float) -> Finding:
    text = Say(
        "{task} closes a connection; a timer ends that in {left} at the latest.", task=_owner(close), left=Seconds(left)
    )
    because = Say("the event loop holds a timer that ends what it waits for")
    return _finding(view, close, Severity.INFO, Confidence.CERTAIN, because, text)


def _owner(close: Close) -> Name:
    return close.task.chain[0].name


def _finding(
    view: View, close: Close, severity: Severity, confidence: Confidence, because: Say, summary: Say
) -> Finding:
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=summary,
        evidence=tuple(_evidence(view, close)),
        ruled_out=(
            RuledOut("write-stuck", Say("the chain does not end in the writer's drain")),
            RuledOut("loop-blocked", Say("the event loop turns; other tasks go on")),
        ),
        tasks=(close.task.address,),
        sockets=(close.fd,) if close.fd is not None else (),
    )


def _evidence(view: View, close: Close) -> list[Evidence]:
    found = []
    if close.same:
        text = Say("the same call was there {interval} earlier", interval=Seconds(view.interval))
        found.append(Evidence(text, "python", Seconds(view.interval), "s"))
    for timer in close.timers:
        left = Seconds(timer.when_at - view.now)
        found.append(
            Evidence(
                Say("a timer, {callback}, is due in {left}", callback=timer.callback, left=left), "python", left, "s"
            )
        )
    if close.websocket and close.websocket.close_timeout is not None:
        limit = Seconds(close.websocket.close_timeout)
        found.append(
            Evidence(Say("its close waits {limit} for one message of the peer", limit=limit), "gateway", limit, "s")
        )
    if close.tcp is not None and close.fd is not None:
        sent, received = Seconds(close.tcp.last_data_sent), Seconds(close.tcp.last_data_received)
        text = Say(
            "fd {fd}: last sent {sent} ago, last received {received} ago", fd=close.fd, sent=sent, received=received
        )
        found.append(Evidence(text, "sockets", sent, "s"))
    return found
