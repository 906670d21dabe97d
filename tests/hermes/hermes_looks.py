"""A look at the real gateway in a state, and what must be true of it: the accepted ids and nothing else above info."""

from __future__ import annotations

from hermes_cases import LISTENER
from hermes_patient import Case, Patient, wait_beats
from less_evidence import assert_not_wrong, without_evidence
from matrix_table import grave

from qqdiag.diagnose import diagnose
from qqdiag.finding import Diagnosis, Finding, Severity
from qqdiag.model import Missing, Say, Text
from qqdiag.run import take
from qqdiag.snapshot import Snapshot
from qqdiag.target import resolve


def look(patient: Patient) -> tuple[Snapshot, Diagnosis]:
    snapshot = take(resolve(str(patient.pid)), interval=1.0)
    return snapshot, diagnose(snapshot)


def assert_unharmed(case: Case, patient: Patient) -> None:
    """It still runs; one whose listener waited for a message beats on, on the same connection."""
    assert patient.gateway.process.poll() is None
    if not case.accepted and case.chain == LISTENER and case.setting.first_beat:
        connections = patient.server.seen()["connections"]
        wait_beats(patient, 2)
        assert patient.server.seen()["connections"] == connections


def assert_accepted(case: Case, diagnosis: Diagnosis) -> None:
    """What follows from an accepted finding may stand beside it: it is said to be a consequence."""
    grave = [one for one in diagnosis.findings if one.severity is not Severity.INFO]
    found = {one.id for one in grave if one.consequence_of is None}
    said = "\n".join(told(one) for one in diagnosis.findings) or "nothing was found"
    lacking = "\n".join(f"{where}: {plain(lack.reason)}" for where, lack in diagnosis.missing)
    assert found <= case.accepted, f"{found - case.accepted} must not be found\n{said}"
    assert bool(found) == bool(case.accepted), f"one of {set(case.accepted)} must be found\n{said}\n{lacking}"
    assert diagnosis.verdict == ("matched" if case.accepted else "clear"), f"{diagnosis.verdict}\n{lacking}"


def assert_less(case: Case, snapshot: Snapshot, diagnosis: Diagnosis) -> None:
    """With a part of the evidence taken away: the same, or less, and then it is said."""
    for name, less in without_evidence(snapshot).items():
        assert_not_wrong(name, less, set(case.accepted), grave(diagnosis))


def told(finding: Finding) -> str:
    evidence = "".join(f"\n    {plain(one.text)}" for one in finding.evidence)
    return f"{finding.severity} {finding.confidence} {finding.id}: {plain(finding.summary)}{evidence}"


def plain(sentence: Say) -> str:
    """As it stands, private values included: the gateway and all that it knows are of these tests' making."""
    values = {name: revealed(value) for name, value in sentence.values.items()}
    return sentence.template.format(**values)


def revealed(value: object) -> object:
    if isinstance(value, Say):
        return plain(value)
    return value.reveal() if isinstance(value, Text) else value


def assert_chains(case: Case, snapshot: Snapshot) -> None:
    """The await chain that the case must show, outermost first, with levels between left out."""
    python = snapshot.samples[-1].python
    assert not isinstance(python, Missing), plain(python.reason)
    chains = [[level.name.reveal() for level in task.chain] for task in python.tasks]
    if case.chain:
        assert any(is_within(case.chain, chain) for chain in chains), chains


def is_within(wanted: tuple[str, ...], chain: list[str]) -> bool:
    rest = iter(chain)
    return all(any(name == level for level in rest) for name in wanted)
