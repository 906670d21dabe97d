"""One row a lab gateway, one column a signature; and a finding in words, for a test that fails."""

from __future__ import annotations

from collections.abc import Sequence

from qqdiag.finding import Diagnosis, Finding, Severity
from qqdiag.model import Say, Text
from qqdiag.signatures import signatures

ROW = "lab-row"  # key of a user property: it travels from a pytest-xdist worker with the report
MARKS = {Severity.HANG: "HANG", Severity.DEGRADED: "degraded", Severity.INFO: "info"}


def row(case: str, diagnosis: Diagnosis, seconds: float) -> list[str]:
    """The case, the seconds to the verdict, the verdict, then a mark for each signature."""
    return [case, f"{seconds:.2f}", diagnosis.verdict, *(mark(one.ID, diagnosis) for one in signatures())]


def mark(signature: str, diagnosis: Diagnosis) -> str:
    """In brackets a consequence, `or` an alternative that a finding names, `?` where evidence was lacking."""
    for finding in diagnosis.findings:
        if finding.id == signature:
            text = MARKS[finding.severity]
            return text if finding.consequence_of is None else f"({text})"
    if any(other.id == signature for finding in diagnosis.findings for other in finding.alternatives):
        return "or"
    return "?" if any(where == signature for where, _ in diagnosis.missing) else "-"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows below their heading, in columns."""
    lines = [["case", "seconds", "verdict", *(one.ID for one in signatures())], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def grave(diagnosis: Diagnosis) -> set[str]:
    """The ids of what was found above info."""
    return {finding.id for finding in diagnosis.findings if finding.severity is not Severity.INFO}


def words(diagnosis: Diagnosis) -> str:
    """All findings and all that was lacking, private values included: they are of these tests' own gateways."""
    lines = [_finding(finding) for finding in diagnosis.findings]
    lines += [f"{where} lacks: {plain(lack.reason)}" for where, lack in diagnosis.missing]
    return "\n".join([diagnosis.verdict, *lines])


def _finding(finding: Finding) -> str:
    evidence = "".join(f"\n    {plain(one.text)}" for one in finding.evidence)
    return f"{finding.severity} {finding.confidence} {finding.id}: {plain(finding.summary)}{evidence}"


def plain(sentence: Say) -> str:
    """A sentence with its values as they are."""
    return sentence.template.format(**{name: _value(value) for name, value in sentence.values.items()})


def _value(value: object) -> object:
    if isinstance(value, Say):
        return plain(value)
    return value.reveal() if isinstance(value, Text) else value
