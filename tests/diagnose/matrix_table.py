"""The tables of lab gateways and signatures, and a finding in words, for a test that fails."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qqdiag.finding import Diagnosis, Finding, Severity
from qqdiag.model import Say, Text
from qqdiag.signatures import signatures

ROW, LESS_ROW = "lab-row", "lab-less-row"  # keys of user properties: they travel from a pytest-xdist worker
FIXED = ("case", "fault", "seconds", "verdict")  # the columns before the signatures
LESS = ("memory", "logs", "sockets", "process", "second sample", "wchan", "tcp_info")
HEALTHY = "none"
# Which no lab gateway shows, and where they are shown instead.
ELSEWHERE = {
    **dict.fromkeys(("events-lost", "fatal-close", "heartbeat-dead", "not-ready", "reconnecting"), "tests/hermes"),
    "send-waiting": "tests/diagnose/test_adapters.py",
}
MARKS = {Severity.HANG: "HANG", Severity.DEGRADED: "degraded", Severity.INFO: "info"}
GRAVE = {MARKS[Severity.HANG], MARKS[Severity.DEGRADED]}


def row(case: str, fault: Collection[str], diagnosis: Diagnosis, seconds: float) -> list[str]:
    """The case, what fails in it (any of these; nothing: all is well), the seconds to the verdict, the verdict, then a
    mark for each signature."""
    said = [mark(one.ID, diagnosis) for one in signatures()]
    return [case, " or ".join(sorted(fault)) or HEALTHY, f"{seconds:.2f}", diagnosis.verdict, *said]


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
    return columns([[*FIXED, *(one.ID for one in signatures())], *rows])


def summary(rows: Sequence[Sequence[str]]) -> list[str]:
    """Each signature: how many of the states with its fault it found, how many of the others it took for one, and the
    seconds to the verdict (the median, the longest) where it was found."""
    lines = [["signature", "found", "of", "false", "of", "seconds", "longest", "shown by"]]
    for at, one in enumerate(signatures(), len(FIXED)):
        with_it = [row for row in rows if one.ID in row[1].split(" or ")]
        without_it = [row for row in rows if row[1] == HEALTHY]
        found = [row for row in with_it if row[at] not in ("-", "?")]
        false = [row for row in without_it if row[at].strip("()") in GRAVE]
        took = sorted(float(row[2]) for row in found)
        times = [f"{took[len(took) // 2]:.2f}", f"{took[-1]:.2f}"] if took else ["", ""]
        counts = [str(len(each)) for each in (found, with_it, false, without_it)]
        lines.append([one.ID, *counts, *times, ELSEWHERE.get(one.ID, "")])
    well = {row[0].split()[0] for row in rows if row[1] == HEALTHY}
    taken = [row[0] for row in rows if row[1] == HEALTHY and GRAVE & {cell.strip("()") for cell in row[len(FIXED) :]}]
    return [*columns(lines), f"healthy or look-alike states: {len(well)}, taken for a failure: {len(taken)}"]


def less_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """What is said of each case with all evidence, and with one part of it taken away."""
    return columns([["case", "with all", *(f"no {name}" for name in LESS)], *rows])


def columns(lines: Sequence[Sequence[str]]) -> list[str]:
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
