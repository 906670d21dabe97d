"""What a signature answers: `Match`, `NoMatch` or `Unknown`, in sentences whose values are typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from qqdiag.model import Missing, Say, Seconds, Value, Word
from qqdiag.waits import View


class Severity(StrEnum):
    HANG = "hang"  # the gateway, or one platform of it, will not answer again by itself
    DEGRADED = "degraded"  # it answers late, or will heal
    INFO = "info"  # worth knowing, nothing is wrong


class Confidence(StrEnum):
    CERTAIN = "certain"  # the evidence admits no other cause
    LIKELY = "likely"  # the alternatives are named and improbable
    POSSIBLE = "possible"  # the evidence fits; what would decide is named


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation. `section` is the snapshot's (process, sockets, python, gateway, logs); `value` has `unit`."""

    text: Say
    section: str
    value: Value | None = None
    unit: str = ""


def seen(section: str, text: Say, unit: str = "") -> Evidence:
    """An observation whose number is the first value of its sentence."""
    value = next(iter(text.values.values()), None)
    return Evidence(text, section, None if isinstance(value, Say) else value, unit)


@dataclass(frozen=True, slots=True)
class RuledOut:
    """Another cause that was considered, and the number by which it fell."""

    id: str
    reason: Say


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another cause that this evidence cannot tell apart, and what would decide."""

    id: str
    decides: Say


@dataclass(frozen=True, slots=True)
class Finding:
    """A failure that was seen. `summary` is the verdict in one sentence."""

    id: str
    severity: Severity
    confidence: Confidence
    because: Say  # why this confidence
    summary: Say
    evidence: tuple[Evidence, ...]
    ruled_out: tuple[RuledOut, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    tasks: tuple[int, ...] = ()  # the tasks it speaks of, for the tree to mark
    sockets: tuple[int, ...] = ()  # their fds
    consequence_of: str | None = None
    fingerprint: str = ""  # set by diagnose.py: stable over two runs on the same failure


@dataclass(frozen=True, slots=True)
class Match:
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """The failure is not there, or cannot be (no such gateway, no such library)."""

    because: Say


@dataclass(frozen=True, slots=True)
class Unknown:
    """The signature applies, but its evidence could not be had."""

    lacks: tuple[Missing, ...]


def told_by_log(
    id: str,
    confidence: Confidence,
    because: Say,
    summary: Say,
    event: Word,
    age: float,
    alternatives: tuple[Alternative, ...] = (),
) -> Finding:
    """A hang of which the log's last word alone tells, because no memory could be read: never certain."""
    evidence = (last_logged(event, age),)
    return Finding(id, Severity.HANG, confidence, because, summary, evidence, alternatives=alternatives)


def last_logged(event: Word, age: float) -> Evidence:
    """What the log said last of the connection, `age` seconds ago."""
    text = Say("the log's last word of the connection is {event}, {age} ago", event=event, age=Seconds(age))
    return seen("logs", text)


class Signature(Protocol):
    """What each module in `signatures/` is: constants and one pure function."""

    ID: str
    SEVERITY: Severity
    TITLE: str

    @staticmethod
    def match(view: View) -> Match | NoMatch | Unknown: ...


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All signatures' answers over one snapshot; findings ordered by severity, cause before consequence."""

    verdict: str  # matched clear unknown
    findings: tuple[Finding, ...]
    missing: tuple[tuple[str, Missing], ...] = ()  # section or signature id, and what it lacked
    clear: tuple[tuple[str, Say], ...] = field(default=())  # signatures that found nothing, and why
