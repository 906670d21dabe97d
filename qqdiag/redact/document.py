"""The public JSON document of a diagnosis, in the shape that design.md gives it."""

from __future__ import annotations

import re

from qqdiag.episodes import timeline
from qqdiag.finding import Alternative, Diagnosis, Evidence, Finding, RuledOut
from qqdiag.model import Missing, Text, Word
from qqdiag.redact.publisher import Public, Publisher
from qqdiag.redact.shown import show
from qqdiag.snapshot import Logs, Snapshot

SCHEMA_VERSION = 1
_UNITS = frozenset({"", "%", "s", "ms", "B"})
_DIGEST = re.compile(r"[a-z0-9:.-]{1,64}")


def document(
    snapshot: Snapshot, diagnosis: Diagnosis, publisher: Publisher, dropped: tuple[str, ...] = ()
) -> dict[str, Public]:
    """Target, verdict, findings, what is missing and the snapshot. `omitted`: rows left out of its tables."""
    facts = publisher.tree(snapshot)
    return {
        "schema_version": SCHEMA_VERSION,
        "private": publisher.raw,
        "target": _target(snapshot, publisher),
        "verdict": _word(diagnosis.verdict, publisher),
        "findings": [_finding(finding, publisher) for finding in diagnosis.findings],
        "missing": [_missing(section, missing, publisher) for section, missing in diagnosis.missing],
        "pause_ms": round(snapshot.pause * 1000, 3),
        "omitted": {**publisher.omitted},
        "dropped": [publisher.text(Word(section)) for section in dropped],
        "timeline": _timeline(snapshot, publisher),
        "snapshot": facts,
    }


def _timeline(snapshot: Snapshot, publisher: Publisher) -> Public:
    """What the logs tell of the connection, reckoned from `snapshot.logs`; null where they tell nothing."""
    return publisher.tree(timeline(snapshot.logs) if isinstance(snapshot.logs, Logs) else None)


def _target(snapshot: Snapshot, publisher: Publisher) -> dict[str, Public]:
    return {"pid": snapshot.pid, "origin": publisher.text(snapshot.origin)}


def _finding(finding: Finding, publisher: Publisher) -> dict[str, Public]:
    return {
        "id": _word(finding.id, publisher),
        "severity": _word(finding.severity, publisher),
        "confidence": _word(finding.confidence, publisher),
        "because": publisher.say(finding.because),
        "summary": publisher.say(finding.summary),
        "evidence": [_evidence(evidence, publisher) for evidence in finding.evidence],
        "ruled_out": [_ruled_out(fallen, publisher) for fallen in finding.ruled_out],
        "alternatives": [_alternative(other, publisher) for other in finding.alternatives],
        "tasks": list(finding.tasks),
        "sockets": list(finding.sockets),
        "consequence_of": None if finding.consequence_of is None else _word(finding.consequence_of, publisher),
        "fingerprint": _fingerprint(finding.fingerprint),
    }


def _evidence(evidence: Evidence, publisher: Publisher) -> dict[str, Public]:
    value = evidence.value
    return {
        "text": publisher.say(evidence.text),
        "section": _word(evidence.section, publisher),
        "value": publisher.text(value) if isinstance(value, Text) else publisher.tree(value),
        "unit": show(evidence.unit) if evidence.unit in _UNITS else _word(evidence.unit, publisher),
    }


def _ruled_out(fallen: RuledOut, publisher: Publisher) -> dict[str, Public]:
    return {"id": _word(fallen.id, publisher), "reason": publisher.say(fallen.reason)}


def _alternative(other: Alternative, publisher: Publisher) -> dict[str, Public]:
    return {"id": _word(other.id, publisher), "decides": publisher.say(other.decides)}


def _missing(section: str, missing: Missing, publisher: Publisher) -> dict[str, Public]:
    return {
        "section": _word(section, publisher),
        "reason": publisher.say(missing.reason),
        "hint": publisher.say(missing.hint),
    }


def _word(value: str, publisher: Publisher) -> Public:
    """An id of ours: severity, section, signature. It passes the same gate as a word from the target."""
    return publisher.text(Word(value)) if value else None


def _fingerprint(value: str) -> Public:
    """A digest that diagnose.py made, empty when it made none."""
    return show(value) if _DIGEST.fullmatch(value) else None
