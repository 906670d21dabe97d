"""The runbooks as triage reads them: which of their words are commands, what these do, and what they cost."""

from __future__ import annotations

import pytest

from qqdiag.explain import load, runbooks
from qqdiag.triage.costs import NOTHING, cost
from qqdiag.triage.fill import filled
from qqdiag.triage.steps import commands, steps
from qqdiag.triage.tree import questions

UNTOLD = cost("a command that nobody knows")


@pytest.mark.parametrize("id", runbooks())
def test_the_first_step_keeps_the_evidence_and_every_change_has_its_price(id: str) -> None:
    mitigation = steps(load(id).text, "Mitigation")
    first = mitigation[0].commands[0]
    assert first.text.startswith('sudo "$(command -v qqdiag)" capture {pid}')
    assert not first.changes
    changing = [command for step in mitigation for command in step.commands if command.changes]
    assert [command.text for command in changing if cost(command.text) == UNTOLD] == []


@pytest.mark.parametrize("id", runbooks())
def test_a_check_changes_nothing(id: str) -> None:
    assert not [command for step in steps(load(id).text, "Diagnosis") for command in step.commands if command.changes]


def test_a_mention_is_no_command() -> None:
    assert commands("`systemctl restart` works too, `kill`, `LimitNOFILE=65536`, `asyncio.sleep(1)`, `--full`") == ()


@pytest.mark.parametrize(
    "text", ["sudo ss -K dst {peer}", "cat a > b", "kill -9 {pid}", "echo 1 | sudo tee /sys/x", "sudo systemctl stop x"]
)
def test_what_changes_something_is_told_from_what_looks(text: str) -> None:
    assert [command.changes for command in commands(f"`{text}`")] == [True]


def test_what_continues_a_process_costs_nothing_and_what_ends_it_does() -> None:
    assert cost("sudo kill -CONT {pid}") == NOTHING
    assert cost("sudo kill -9 {pid}") != NOTHING


def test_a_place_that_is_not_known_leaves_the_command_alone() -> None:
    assert filled("sudo systemctl restart {unit}", {"pid": "7"}) is None
    assert (filled("ps -p {pid}", {"pid": "7"}) or "").endswith("ps -p 7")


def test_what_a_place_holds_is_one_word_of_the_shell() -> None:
    assert "'a; b'" in (filled("cat {folder}", {"folder": "a; b"}) or "")


def test_every_question_leads_on() -> None:
    found = questions()
    assert {reply.number for question in found.values() for reply in question.replies} - {0} <= found.keys()
    assert {reply.id for question in found.values() for reply in question.replies} - {""} == set(runbooks())
    assert all(question.look and question.replies for question in found.values())
