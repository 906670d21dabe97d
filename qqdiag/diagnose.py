"""Runs all signatures over a snapshot and orders their answers: the worst first, a cause before what it causes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from qqdiag.finding import Diagnosis, Finding, Match, Severity, Signature, Unknown
from qqdiag.model import Missing, Name
from qqdiag.signatures import signatures
from qqdiag.snapshot import Snapshot
from qqdiag.waits import View

# What a failure brings about, when both are seen: the loop that stands keeps every task on it from going on.
CAUSES = {
    "process-stopped": (
        *("loop-blocked", "hot-loop", "dead-listener", "missing-ack", "half-open", "close-hang", "write-stuck"),
        *("await-deadlock", "executor-starved", "loop-spinning", "never-completes", "reconnect-stuck", "reconnecting"),
    ),
    "fatal-close": ("dead-listener", "heartbeat-dead", "send-waiting"),
    "disk-stall": ("log-blocked", "loop-blocked"),
    "log-blocked": ("loop-blocked",),
    "loop-blocked": ("hot-loop", "dead-listener", "missing-ack", "half-open", "close-hang", "write-stuck"),
    "hot-loop": ("dead-listener", "missing-ack", "half-open", "close-hang", "write-stuck"),
    "executor-starved": ("reconnect-stuck",),
    "dead-listener": ("send-waiting", "heartbeat-dead"),
    "close-hang": ("send-waiting",),
    "reconnect-stuck": ("send-waiting",),
    "reconnecting": ("send-waiting",),
    "heartbeat-dead": ("flapping",),
    "session-zombie": ("flapping", "send-waiting"),
    "half-open": ("write-stuck", "close-hang"),
    "write-stuck": ("missing-ack",),
}
_WORST_FIRST = (Severity.HANG, Severity.DEGRADED, Severity.INFO)


def diagnose(snapshot: Snapshot, among: Sequence[Signature] | None = None) -> Diagnosis:
    """Every signature's answer, and one verdict: matched, clear, or unknown when evidence was lacking."""
    view = View(snapshot)
    answers = [(sig.ID, sig.match(view)) for sig in (signatures() if among is None else among)]
    findings = [finding for _, answer in answers if isinstance(answer, Match) for finding in answer.findings]
    missing = [(name, lack) for name, answer in answers if isinstance(answer, Unknown) for lack in answer.lacks]
    clear = [(name, answer.because) for name, answer in answers if not isinstance(answer, Match | Unknown)]
    ordered = _ordered(view, [replace(finding, fingerprint=_fingerprint(view, finding)) for finding in findings])
    return Diagnosis(
        verdict=_verdict(ordered, [*(lack for _, lack in missing), *view.torn]),
        findings=tuple(ordered),
        missing=(*_sections(view), *missing),
        clear=tuple(clear),
    )


def _verdict(findings: list[Finding], missing: list[Missing]) -> str:
    if any(finding.severity is not Severity.INFO for finding in findings):
        return "matched"
    return "unknown" if missing else "clear"


def _sections(view: View) -> list[tuple[str, Missing]]:
    """The sections of the last sample and of the whole that could not be had."""
    places = [(name, getattr(view.last, name)) for name in ("process", "sockets", "python", "gateway")]
    places += [(name, getattr(view.snapshot, name)) for name in ("witness", "logs", "faults", "monitor")]
    found = [(name, value) for name, value in places if isinstance(value, Missing)]
    return found + [("python", lack) for lack in view.torn]


def _ordered(view: View, findings: list[Finding]) -> list[Finding]:
    grave = [finding for finding in findings if finding.severity is not Severity.INFO]
    linked = [replace(finding, consequence_of=_cause(view, finding, grave)) for finding in findings]
    ranks = list(CAUSES)

    def rank(finding: Finding) -> tuple[int, bool, int, str]:
        place = ranks.index(finding.id) if finding.id in ranks else len(ranks)
        return _WORST_FIRST.index(finding.severity), finding.consequence_of is not None, place, finding.fingerprint

    return sorted(linked, key=rank)


def _cause(view: View, finding: Finding, grave: list[Finding]) -> str | None:
    """The id of a failure that explains this one: known to, and on the same socket or the same loop."""
    for cause, effects in CAUSES.items():
        if finding.id in effects and any(other.id == cause and _meet(view, other, finding) for other in grave):
            return cause
    return None


def _meet(view: View, one: Finding, other: Finding) -> bool:
    """Whether two findings speak of the same socket or, where one names none, of the same loop."""
    if one.sockets and other.sockets:
        return bool(set(one.sockets) & set(other.sockets))
    loops = [{view.tasks[task].loop for task in each.tasks if task in view.tasks} for each in (one, other)]
    return not loops[0] or not loops[1] or bool(loops[0] & loops[1])


def _fingerprint(view: View, finding: Finding) -> str:
    """The id and the code its tasks stand in: equal in two runs on the same failure, so without any address."""
    parts = [finding.id, finding.summary.template]
    parts += [value.reveal() for value in finding.summary.values.values() if isinstance(value, Name)]
    for address in finding.tasks:
        task = view.tasks.get(address)
        levels = task.chain if task is not None else []
        running = task is not None and task.state.reveal() == "running"  # its lines change while it runs
        parts += [f"{level.name.reveal()}:{level.line}" for level in (levels[:0] if running else levels)]
        parts += [levels[0].name.reveal()] if levels else []
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]
