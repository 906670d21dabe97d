"""F01c: a task waits in the writer's drain for a peer that does not read, whatever encloses that wait.

Nearest look-alike: a slow peer. There bytes are acknowledged between the samples; here not one has left for seconds.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Bytes, Missing, Say, Seconds
from qqdiag.snapshot import Socket
from qqdiag.waits import ONE_SAMPLE, View, still
from qqdiag.waits.traffic import NO_TCP, motion
from qqdiag.waits.writes import Write, writes

ID = "write-stuck"
SEVERITY = Severity.HANG
TITLE = "A write waits for a peer that does not read"

EARLY = 1.5  # seconds without a byte leaving: a reader opens its window in steps of one segment
LONG = 30.0  # seconds


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    answers = [_judge(view, write) for write in writes(view)]
    if found := [answer for answer in answers if isinstance(answer, Finding)]:
        return Match(tuple(found))
    if unknown := [answer for answer in answers if isinstance(answer, Missing)]:
        return Unknown(tuple(dict.fromkeys(unknown)))
    if answers:
        return NoMatch(Say("a write waits for its peer, and its bytes leave"))
    return NoMatch(Say("no task waits in a writer's drain"))


def _judge(view: View, write: Write) -> Finding | Missing | None:
    """A finding, what it lacks, or None when the bytes move."""
    if write.row is None or write.tcp is None:
        return (view.lacks("sockets", "gateway") or (NO_TCP,))[0]
    moved = motion(view, write.row.fd)
    if moved is not None and (moved.acked or still(view, write.task) is False):
        return None
    if view.stopped or (moved is None and write.age < LONG):
        return ONE_SAMPLE
    return _finding(write, write.row)


def _finding(write: Write, row: Socket) -> Finding:
    severity, confidence, because = _grade(write)
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=Say(
            "{task} waits in {drain}: no byte has left for {age}, {queue} wait for a peer that does not read.",
            task=write.task.chain[0].name,
            drain=write.level.name,
            age=Seconds(write.age),
            queue=Bytes(write.queued),
        ),
        evidence=tuple(_evidence(write, row)),
        ruled_out=(
            RuledOut("close-hang", Say("the chain ends in the writer's drain, before any wait for an answer")),
            RuledOut("slow-peer", Say("the peer took no byte in the last {age}", age=Seconds(write.age))),
        ),
        alternatives=() if confidence is Confidence.CERTAIN else (_SLOW,),
        tasks=(write.task.address,),
        sockets=(row.fd,),
    )


_SLOW = Alternative("slow-peer", Say("a second look in half a minute: a slow reader will have taken some bytes"))


def _grade(write: Write) -> tuple[Severity, Confidence, Say]:
    if write.ends_in is not None and write.ends_in < LONG:
        return Severity.INFO, Confidence.LIKELY, Say("a timer will give the write up")
    if write.age < EARLY:
        return Severity.INFO, Confidence.POSSIBLE, Say("the wait is young")
    if write.age < LONG:
        because = Say("nothing moved between the samples; a very slow reader would look the same for some seconds")
        return Severity.DEGRADED, Confidence.LIKELY, because
    return SEVERITY, Confidence.CERTAIN, Say("the peer has taken nothing for half a minute, and no timer ends the wait")


def _evidence(write: Write, row: Socket) -> list[Evidence]:
    found = [
        seen("sockets", Say("the last byte left {age} ago", age=Seconds(write.age)), "s"),
        seen(
            "sockets", Say("{queue} are in the send queue of fd {fd}", queue=Bytes(row.send_queue or 0), fd=row.fd), "B"
        ),
    ]
    if write.transport is not None and write.transport.buffered is not None:
        found.append(seen("python", Say("{held} more in its transport", held=Bytes(write.transport.buffered)), "B"))
    if row.timer is not None:
        found.append(seen("sockets", Say("the kernel's timer on it is {timer}", timer=row.timer)))
    if write.ends_in is not None:
        found.append(seen("python", Say("a timer gives the write up in {left}", left=Seconds(write.ends_in)), "s"))
    return found
