"""What could not be seen, and which failures were looked for, with what answer: silence is never a verdict."""

from __future__ import annotations

from qqdiag.explain import runbooks
from qqdiag.finding import Diagnosis
from qqdiag.model import Missing, Say, Word
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.snapshot import Python, Snapshot, StateFile, Witness
from qqdiag.witness import disagreement


def coverage_section(diagnosis: Diagnosis) -> Section[Cell] | None:
    """Each signature: found, not run and why, or not found and why."""
    found = list(dict.fromkeys(finding.id for finding in diagnosis.findings))
    not_run = {id: missing for id, missing in diagnosis.missing if id in runbooks()}
    lines: list[Line[Cell]] = [Line(Say("{id}: found", id=Word(id)), mark=Mark.BAD) for id in found]
    lines += [Line(_not_run(reason, ids), mark=Mark.WARN) for reason, ids in _by_reason(not_run).items()]
    for id, because in diagnosis.clear:
        lines.append(Line(Say("{id}: not found, {because}", id=Word(id), because=because), mark=Mark.DIM))
    title = Say(
        "Checks: {found} found, {clear} not found, {lacking} not run",
        found=len(found),
        clear=len(diagnosis.clear),
        lacking=len(not_run),
    )
    return Section("checked", title, tuple(lines)) if lines else None


def _by_reason(missing: dict[str, Missing]) -> dict[Say, list[str]]:
    """Many checks lack the same."""
    found: dict[Say, list[str]] = {}
    for id, lack in missing.items():
        found.setdefault(lack.reason, []).append(id)
    return found


def _not_run(reason: Say, ids: list[str]) -> Say:
    text = Say("not run, {reason}: {id}", reason=reason, id=Word(ids[0]))
    for id in ids[1:]:
        text = Say("{before}, {id}", before=text, id=Word(id))
    return text


def missing_section(snapshot: Snapshot, diagnosis: Diagnosis) -> Section[Cell] | None:
    """Reason and hint of everything that is missing, each once."""
    found: dict[Say, tuple[Say, Missing]] = {}
    for section, missing in _all(snapshot, diagnosis):
        found.setdefault(missing.reason, (section, missing))
    lines: list[Line[Cell]] = []
    for section, missing in found.values():
        lines.append(Line(Say("{section}: {reason}", section=section, reason=missing.reason), mark=Mark.WARN))
        lines.append(Line(Say("to see it: {hint}", hint=missing.hint), 1, Mark.DIM))
    lines += [Line(Say("doubt: {doubt}", doubt=doubt), mark=Mark.WARN) for doubt in _doubts(snapshot)]
    return Section("missing", Say("What could not be seen"), tuple(lines)) if lines else None


def _all(snapshot: Snapshot, diagnosis: Diagnosis) -> list[tuple[Say, Missing]]:
    last = snapshot.samples[-1]
    state = getattr(snapshot.logs, "state", None)
    parts: list[tuple[Say, object]] = [
        (Say("process"), last.process),
        (Say("tasks and threads"), last.python),
        (Say("locals"), last.python.locals if isinstance(last.python, Python) else None),
        (Say("sockets"), last.sockets),
        (Say("gateway"), last.gateway),
        (Say("py-spy"), snapshot.witness),
        (Say("logs"), snapshot.logs),
        (Say("state file"), state if not isinstance(state, StateFile) else None),
        (Say("aiomonitor"), snapshot.monitor),
        (Say("heap"), snapshot.deep),
        (Say("configuration"), snapshot.settings),
    ]
    seen = [(name, part) for name, part in parts if isinstance(part, Missing)]
    return seen + [(Say("{id}", id=Word(id)), missing) for id, missing in diagnosis.missing]


def _doubts(snapshot: Snapshot) -> tuple[Say, ...]:
    seen = [sample.python for sample in snapshot.samples if isinstance(sample.python, Python)]
    doubts = list(seen[-1].doubts[:20]) if seen else []
    if isinstance(snapshot.witness, Witness):
        doubts += disagreement(seen, snapshot.witness)
    return tuple(doubts)
