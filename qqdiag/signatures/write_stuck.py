"""F01c: a task waits in the writer's drain for a peer that does not read, whatever encloses that wait.

Nearest look-alike: a slow peer. There bytes are acknowledged between the samples; here not one has left for seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.drains import drain_level
from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown
from qqdiag.model import Bytes, Missing, Say, Seconds
from qqdiag.snapshot import Level, Socket, Task, TcpInfo, Transport
from qqdiag.traffic import NO_TCP, motion, tcp_of
from qqdiag.waits import ONE_SAMPLE, View, still, timers_of, turns

ID = "write-stuck"
SEVERITY = Severity.HANG
TITLE = "A write waits for a peer that does not read"

EARLY = 1.5  # seconds without a byte leaving: a reader opens its window in steps of one segment
LONG = 30.0


@dataclass(frozen=True, slots=True)
class Write:
    """A write that waits, and the socket it waits for."""

    task: Task
    level: Level
    transport: Transport | None
    row: Socket | None
    tcp: TcpInfo | None
    ends_in: float | None  # seconds to the timer that gives it up


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    answers = [_judge(view, write) for write in _writes(view)]
    if found := [answer for answer in answers if isinstance(answer, Finding)]:
        return Match(tuple(found))
    if unknown := [answer for answer in answers if isinstance(answer, Missing)]:
        return Unknown(tuple(dict.fromkeys(unknown)))
    if any(answer is False for answer in answers):
        return NoMatch(Say("a write waits for its peer, and its bytes leave"))
    return NoMatch(Say("no task waits in a writer's drain"))


def _writes(view: View) -> list[Write]:
    found = []
    for task in view.tasks.values():
        level = drain_level(view, task) if task.state.reveal() == "pending" else None
        if level is not None and turns(view, task):
            found.append(_write(view, task, level))
    return found


def _write(view: View, task: Task, level: Level) -> Write:
    transport = _transport(view, task)
    figures = tcp_of(view, transport.fd) if transport else None
    timers = timers_of(view.tasks, list(view.loops.values()), task)
    ends_in = timers[0].when_at - view.now if timers else None
    return Write(task, level, transport, figures[0] if figures else None, figures[1] if figures else None, ends_in)


def _transport(view: View, task: Task) -> Transport | None:
    """The transport it writes to: its WebSocket's, or the one transport of its loop that is told to pause."""
    loop = view.loops.get(task.loop)
    transports = loop.transports if loop else []
    fds = {ws.fd for ws in view.websockets if task.address in ws.holders and ws.fd is not None}
    paused = [item for item in transports if item.writing_paused or item.buffered]
    mine = [item for item in paused if item.fd in fds]
    return mine[0] if mine else paused[0] if len(paused) == 1 else None


def _judge(view: View, write: Write) -> Finding | Missing | bool:
    """A finding, what it lacks, or False when the bytes move."""
    if write.row is None or write.tcp is None:
        return (view.lacks("sockets", "gateway") or (NO_TCP,))[0]
    moved = motion(view, write.row.fd)
    if moved is not None and (moved.acked or still(view, write.task) is False):
        return False
    age = write.tcp.last_data_sent
    if moved is None and age < LONG:
        return ONE_SAMPLE
    return _finding(view, write, write.row, age)


def _finding(view: View, write: Write, row: Socket, age: float) -> Finding:
    severity, confidence = _grade(write, age)
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=_because(severity, confidence),
        summary=Say(
            "{task} waits in {drain}: no byte has left for {age}, {queue} wait for a peer that does not read.",
            task=write.task.chain[0].name,
            drain=write.level.name,
            age=Seconds(age),
            queue=Bytes(_queued(write, row)),
        ),
        evidence=tuple(_evidence(write, row, age)),
        ruled_out=(
            RuledOut("close-hang", Say("the chain ends in the writer's drain, before any wait for an answer")),
            RuledOut("slow-peer", Say("the peer took no byte in the last {age}", age=Seconds(age))),
        ),
        alternatives=() if confidence is Confidence.CERTAIN else (_SLOW,),
        tasks=(write.task.address,),
        sockets=(row.fd,),
    )


_SLOW = Alternative("slow-peer", Say("inspect again in half a minute: a slow reader will have taken some bytes"))


def _grade(write: Write, age: float) -> tuple[Severity, Confidence]:
    if (write.ends_in is not None and write.ends_in < LONG) or age < EARLY:
        return Severity.INFO, Confidence.POSSIBLE
    if age < LONG:
        return Severity.DEGRADED, Confidence.LIKELY
    return SEVERITY, Confidence.CERTAIN


def _because(severity: Severity, confidence: Confidence) -> Say:
    if severity is Severity.INFO:
        return Say("the wait is young, or a timer will give it up")
    if confidence is Confidence.LIKELY:
        return Say("nothing moved between the samples; a very slow reader would look the same for some seconds")
    return Say("the peer has taken nothing for half a minute and more, and no timer ends the wait")


def _queued(write: Write, row: Socket) -> int:
    return (row.send_queue or 0) + (write.transport.buffered or 0 if write.transport else 0)


def _evidence(write: Write, row: Socket, age: float) -> list[Evidence]:
    queue = Bytes(row.send_queue or 0)
    found = [
        Evidence(Say("fd {fd}: {queue} in its send queue", fd=row.fd, queue=queue), "sockets", queue, "B"),
        Evidence(Say("its last data went out {age} ago", age=Seconds(age)), "sockets", Seconds(age), "s"),
    ]
    if write.transport is not None and write.transport.buffered is not None:
        buffered = Bytes(write.transport.buffered)
        found.append(Evidence(Say("its transport holds {buffered} more", buffered=buffered), "python", buffered, "B"))
    if row.timer is not None:
        found.append(Evidence(Say("the kernel's timer on it is {timer}", timer=row.timer), "sockets"))
    if write.ends_in is not None:
        found.append(Evidence(Say("a timer gives the write up in {left}", left=Seconds(write.ends_in)), "python"))
    return found
