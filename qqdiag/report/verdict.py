"""The verdict in one line, and what it rests on."""

from __future__ import annotations

from qqdiag.explain import load, runbooks
from qqdiag.finding import Diagnosis, Finding, Severity
from qqdiag.model import Missing, Say, Word
from qqdiag.report.document import Cell, Headline, Line, Mark, Section
from qqdiag.report.versions import finding_lines
from qqdiag.snapshot import Python, Snapshot

_SECTIONS = frozenset({"process", "sockets", "python", "gateway", "witness", "logs", "faults", "monitor"})
_MARKS = {Severity.HANG: Mark.BAD, Severity.DEGRADED: Mark.WARN, Severity.INFO: Mark.PLAIN}


def verdict_line(snapshot: Snapshot, diagnosis: Diagnosis) -> Line[Cell]:
    """`HANG hot-loop (certain): …`, or that nothing was found, or that it cannot be said."""
    if diagnosis.verdict == "matched":
        return _verdict(diagnosis.findings[0], len(diagnosis.findings) - 1)
    checked, lacking = len(diagnosis.clear), len({name for name, _ in diagnosis.missing} - _SECTIONS)
    if diagnosis.findings and diagnosis.verdict == "clear":
        text = Say(
            "CLEAR: nothing wrong (failures checked: {checked}); {note}",
            checked=checked,
            note=diagnosis.findings[0].summary,
        )
        return Line(text, mark=Mark.GOOD)
    python = snapshot.samples[-1].python
    if diagnosis.verdict == "clear" and isinstance(python, Python) and not python.has_asyncio:
        return Line(Say("CLEAR: this Python has no asyncio, so nothing that is known here can hang it"), mark=Mark.GOOD)
    if diagnosis.verdict == "clear":
        return Line(Say("CLEAR: nothing found (failures checked: {checked})", checked=checked), mark=Mark.GOOD)
    text = Say(
        "UNKNOWN: nothing found (failures checked: {checked}), but evidence is missing for {lacking} more",
        checked=checked,
        lacking=lacking,
    )
    return Line(text, mark=Mark.WARN)


def _verdict(finding: Finding, others: int) -> Line[Cell]:
    mark = _MARKS[finding.severity]
    if others:
        return Line(Say("{first}  [and {others} more]", first=_headline(finding), others=others), mark=mark)
    return Line(_headline(finding), mark=mark)


def headline(diagnosis: Diagnosis) -> Headline[Cell] | None:
    """The parts of the verdict's line, where something was found that is wrong."""
    if diagnosis.verdict != "matched":
        return None
    first = diagnosis.findings[0]
    more = len(diagnosis.findings) - 1
    others = Say("and {count} more, below", count=more) if more else None
    return Headline(Word(first.severity.upper()), Word(first.id), Word(first.confidence), first.summary, others)


def _headline(finding: Finding) -> Say:
    return Say(
        "{severity} {id} ({confidence}): {summary}",
        severity=Word(finding.severity.upper()),
        id=Word(finding.id),
        confidence=Word(finding.confidence),
        summary=finding.summary,
    )


def evidence_section(snapshot: Snapshot, diagnosis: Diagnosis) -> Section[Cell]:
    """For each finding: evidence, what fell, what remains; last the one command to type next."""
    lines: list[Line[Cell]] = []
    for position, finding in enumerate(diagnosis.findings):
        lines += _headed(finding) if position else []
        lines += [*_details(finding), *finding_lines(snapshot, finding), *_known(finding)]
    lines.append(_next(snapshot, diagnosis))
    title = Say("Evidence") if diagnosis.findings else Say("What to do")
    return Section("evidence", title, tuple(lines))


def _headed(finding: Finding) -> list[Line[Cell]]:
    lines: list[Line[Cell]] = [Line(_headline(finding), mark=_MARKS[finding.severity])]
    if finding.consequence_of:
        lines.append(Line(Say("a consequence of {cause}", cause=Word(finding.consequence_of)), depth=1))
    return lines


def _details(finding: Finding) -> list[Line[Cell]]:
    lines: list[Line[Cell]] = [
        Line(Say("{section}: {text}", section=Word(evidence.section), text=evidence.text), depth=1)
        for evidence in finding.evidence
    ]
    lines.append(Line(Say("{how} because {why}", how=Word(finding.confidence), why=finding.because), depth=1))
    for fallen in finding.ruled_out:
        lines.append(Line(Say("not {id}: {reason}", id=Word(fallen.id), reason=fallen.reason), 1, Mark.DIM))
    for other in finding.alternatives:
        text = Say("or {id}: what decides is {decides}", id=Word(other.id), decides=other.decides)
        lines.append(Line(text, 1, Mark.WARN))
    return lines


def _known(finding: Finding) -> list[Line[Cell]]:
    """Threads in which the failure was reported, by its runbook."""
    threads = load(finding.id).upstream[:2] if finding.id in runbooks() else ()
    if not threads:
        return []
    text = Say("reported in {thread}", thread=Word(threads[0]))
    for thread in threads[1:]:
        text = Say("{text}, {thread}", text=text, thread=Word(thread))
    return [Line(text, 1, Mark.DIM)]


def _next(snapshot: Snapshot, diagnosis: Diagnosis) -> Line[Cell]:
    return Line(Say("next: {command}", command=_command(snapshot, diagnosis)), mark=Mark.STRONG)


def _command(snapshot: Snapshot, diagnosis: Diagnosis) -> Say:
    above_info = [finding for finding in diagnosis.findings if finding.severity is not Severity.INFO]
    python = snapshot.samples[-1].python
    if above_info and snapshot.origin == Word("live") and isinstance(python, Missing):
        return Say("{hint} (before any restart: more is seen then)", hint=python.hint)
    if above_info and snapshot.origin == Word("live"):
        return Say(
            "qqdiag capture {pid} -o hang.qqd (before any restart), then qqdiag explain {id}",
            pid=snapshot.pid,
            id=Word(above_info[0].id),
        )
    if diagnosis.findings:
        return Say("qqdiag explain {id}", id=Word(diagnosis.findings[0].id))
    if diagnosis.missing:
        return diagnosis.missing[0][1].hint
    return Say("qqdiag inspect {pid} --interval 10, if it is silent all the same", pid=snapshot.pid)
