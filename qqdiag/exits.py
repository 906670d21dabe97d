"""Exit codes, as the README lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qqdiag.finding import Diagnosis

CLEAR = 0  # everything was checked, nothing above `info`
FOUND = 1  # a finding of `degraded` or `hang`
NOT_RUN = 2  # usage, no such process, not permitted, not Python
LACKING = 3  # nothing was found, but an applicable signature lacked its evidence
OWN_FAULT = 70  # EX_SOFTWARE of sysexits.h; 4 (the self-check refused) is LeakRefused's own
INTERRUPTED = 130  # 128 + SIGINT


def of_diagnosis(diagnosis: Diagnosis) -> int:
    """0, 1 or 3."""
    from qqdiag.finding import Severity

    if any(finding.severity is not Severity.INFO for finding in diagnosis.findings):
        return FOUND
    return LACKING if diagnosis.verdict == "unknown" else CLEAR


def of_fixes(verdicts: dict[str, str]) -> int:
    """Of `qqdiag fixes check`: 1 where a fix lacks, 3 where that cannot be told, else 0."""
    if "lacks" in verdicts.values():
        return FOUND
    return LACKING if "cannot tell" in verdicts.values() else CLEAR
