"""One row a case, one column a signature, and which version falls into what: made by tests, printed at their end."""

from __future__ import annotations

from collections.abc import Sequence

import hermes_environment
from hermes_patient import Case

from qqdiag.finding import Diagnosis, Severity
from qqdiag.signatures import signatures

ROW = "hermes-row"  # key of a user property: it travels from a pytest-xdist worker with the report
MARKS = {Severity.HANG: "HANG", Severity.DEGRADED: "degraded", Severity.INFO: "info"}
FIXED = ("version", "case", "reached s", "verdict s", "verdict", "says")


def row(version: str, case: Case, diagnosis: Diagnosis, reach: float, verdict: float) -> list[str]:
    """Seconds to reach the state, seconds to the verdict, the verdict in words, then a mark for each signature."""
    cells = [mark(signature.ID, diagnosis) for signature in signatures()]
    roots = [one for one in diagnosis.findings if one.severity is not Severity.INFO and one.consequence_of is None]
    says = ", ".join(f"{MARKS[one.severity]} {one.id}" for one in roots) or diagnosis.verdict
    return [version, case.id, f"{reach:.1f}", f"{verdict:.2f}", diagnosis.verdict, says, *cells]


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
    at = FIXED.index("says")
    heading = [*FIXED[:at], *(signature.ID for signature in signatures())]
    return _columns([heading, *([*row[:at], *row[at + 1 :]] for row in rows)])


def falls(rows: Sequence[Sequence[str]]) -> list[str]:
    """One row a case, one column a version: what was said of it and after how long. Empty: not run on that version."""
    said = {(row[0], row[1]): f"{row[5]} ({row[3]} s)" for row in rows}
    versions = hermes_environment.VERSIONS
    cases = [case for case in dict.fromkeys(row[1] for row in rows) if (versions[0], case) in said] + [
        case for case in dict.fromkeys(row[1] for row in rows) if (versions[0], case) not in said
    ]
    lines = [[case, *(said.get((version, case), "") for version in versions)] for case in cases]
    grave = set(MARKS.values()) - {MARKS[Severity.INFO]}
    marked = {
        one.ID for at, one in enumerate(signatures(), len(FIXED)) if any(row[at].strip("()") in grave for row in rows)
    }
    rest = [one.ID for one in signatures() if one.ID not in marked]
    return [*_columns([["case", *versions], *lines]), f"no state here shows: {', '.join(rest) or 'none'}"]


def _columns(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
