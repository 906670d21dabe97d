"""Each signature has its runbook, with what someone on call at night looks for."""

from __future__ import annotations

import re

import pytest

from qqdiag.errors import UsageError
from qqdiag.explain import HEADINGS, PAGES, load, page, runbook, runbooks
from qqdiag.finding import Signature
from qqdiag.fixes.adapter import FIXES
from qqdiag.signatures import signatures

IDS = [one.ID for one in signatures()]


def test_there_is_one_for_each_signature_and_no_other() -> None:
    assert runbooks() == tuple(sorted(IDS))


@pytest.mark.parametrize("id", IDS)
def test_its_headings_come_in_order(id: str) -> None:
    text = runbook(id)
    assert text.startswith(f"# {id}: ")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == HEADINGS


@pytest.mark.parametrize("known", signatures(), ids=IDS)
def test_its_front_matter(known: Signature) -> None:
    book = load(known.ID)
    assert (book.id, book.severity) == (known.ID, known.SEVERITY.value)
    assert book.fixed_in
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", thread) for thread in book.upstream)


def test_the_fixes_that_it_names_are_fixes() -> None:
    assert {fix for id in IDS for fix in load(id).fixes} <= FIXES


@pytest.mark.parametrize("id", IDS)
def test_it_keeps_the_evidence_before_it_mends(id: str) -> None:
    text = runbook(id)
    mend = text.index("## Mitigation")
    keep = '1. Keep the evidence: `sudo "$(command -v qqdiag)" capture {pid}'
    assert text.index(keep, mend) < text.index("2. ", mend)


def test_no_runbook_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        runbook("../close-hang")


def test_the_decision_tree_leads_to_every_runbook_and_nowhere_else() -> None:
    tree = page("decision-tree")
    numbers = re.findall(r"^## (\d+)\. .+\?$", tree, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert set(re.findall(r"go to (\d+)\.$", tree, re.MULTILINE)) == set(numbers[1:])
    assert set(re.findall(r": `([\w-]+)`$", tree, re.MULTILINE)) == set(IDS)


def test_each_question_has_a_command_and_a_last_answer_that_always_fits() -> None:
    for question in re.split(r"^## ", page("decision-tree"), flags=re.MULTILINE)[1:]:
        assert len(re.findall(r"^Look: `[^`]+`$", question, re.MULTILINE)) == 1
        assert len(re.findall(r"^- ", question, re.MULTILINE)) >= 2


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_explained_like_a_runbook(name: str) -> None:
    assert runbook(name) == page(name)
    assert name not in runbooks()
