"""`qqdiag report --issue`: what goes into the fields of an issue tracker."""

from __future__ import annotations

from dataclasses import replace

import hand_made as made

from qqdiag.explain import load
from qqdiag.finding import Diagnosis, Severity
from qqdiag.model import Say
from qqdiag.publish import page


def head(diagnosis: Diagnosis) -> list[str]:
    """The lines above the page, which is the report as it always is."""
    snapshot = made.snapshot()
    first, _, rest = page(snapshot, diagnosis, "issue").partition("\n\n")
    assert rest == page(snapshot, diagnosis, "md")
    return first.split("\n")


def test_a_known_failure_names_its_threads() -> None:
    finding = made.finding()
    runbook = load(finding.id)
    title, labels, known, fixed = head(made.diagnosis(finding))
    assert title.startswith(f"Title: {finding.id}: ")
    assert labels == f"Labels: {finding.severity}, {finding.id}"
    assert known == f"Known: {', '.join(runbook.upstream)}"
    assert fixed == f"Fixed in: {runbook.fixed_in}"


def test_a_long_title_is_cut() -> None:
    long = replace(
        made.finding(), summary=Say("It hangs, and this says so in many more words than a title may have. " * 3)
    )
    title = head(made.diagnosis(long))[0]
    assert len(title) <= len("Title: ") + 120
    assert title.endswith("…")


def test_nothing_that_is_worth_an_issue_says_so() -> None:
    unknown = ["Title: the gateway is silent, and no known failure fits", "Labels: unknown"]
    assert head(made.diagnosis()) == unknown
    assert head(made.diagnosis(replace(made.finding(), severity=Severity.INFO))) == unknown
