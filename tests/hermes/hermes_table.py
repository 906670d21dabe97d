"""One row a case, one column a signature: made by the tests, printed at their end."""

from __future__ import annotations

from collections.abc import Sequence

from hermes_patient import Case

from qqdiag.finding import Diagnosis, Severity
from qqdiag.signatures import signatures

ROW = "hermes-row"  # key of a user property: it travels from a pytest-xdist worker with the report
MARKS = {Severity.HANG: "HANG", Severity.DEGRADED: "degraded", Severity.INFO: "info"}


def row(case: Case, diagnosis: Diagnosis, reach: float, verdict: float) -> list[str]:
    """Seconds to reach the state, seconds to the verdict, the verdict, then a mark for each signature."""
    cells = [mark(signature.ID, diagnosis) for signature in signatures()]
    return [case.id, f"{reach:.1f}", f"{verdict:.2f}", diagnosis.verdict, *cells]


def mark(signature: str, diagnosis: Diagnosis) -> str:
    """In brackets: a consequence of another finding. `?`: its evidence was lacking."""
    for finding in diagnosis.findings:
        if finding.id == signature:
            text = MARKS[finding.severity]
            return text if finding.consequence_of is None else f"({text})"
        if any(alternative.id == signature for alternative in finding.alternatives):
            return "or"
    return "?" if any(where == signature for where, _ in diagnosis.missing) else "-"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows below their heading, in columns."""
    heading = ["case", "reached s", "verdict s", "verdict", *(signature.ID for signature in signatures())]
    lines = [heading, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
