"""What could not be seen, and which failures were checked and found absent: silence is never a verdict."""

from __future__ import annotations

from qqdiag.finding import Diagnosis
from qqdiag.model import Missing, Say, Word
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.snapshot import Python, Snapshot, StateFile, Witness
from qqdiag.witness import disagreement


def coverage_section(diagnosis: Diagnosis) -> Section[Cell] | None:
    """Each signature that found nothing, and why."""
    lines: list[Line[Cell]] = [
        Line(Say("{id}: {because}", id=Word(id), because=because), mark=Mark.DIM) for id, because in diagnosis.clear
    ]
    return Section("checked", Say("Checked and not found"), tuple(lines)) if lines else None


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
