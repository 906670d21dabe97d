"""The decision tree (runbooks/README.md) as questions: for a verdict that says nothing."""

from __future__ import annotations

import re
from typing import NamedTuple

from qqdiag.explain import page

QUESTION = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
LOOK = re.compile(r"^Look: `(.+)`$", re.MULTILINE)
LEADS = re.compile(r"^(?P<text>.+?):? (?:`(?P<id>[a-z-]+)`|go to (?P<number>\d+)\.)$")


class Reply(NamedTuple):
    """An answer, and where it leads: to a runbook, to another question, or nowhere ("" and 0)."""

    text: str
    id: str
    number: int


class Question(NamedTuple):
    number: int
    text: str
    look: str  # the command that answers it
    replies: tuple[Reply, ...]


def questions() -> dict[int, Question]:
    """By number."""
    _, *parts = QUESTION.split(page("decision-tree"))
    found = {}
    for number, text, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        look = LOOK.search(body)
        replies = tuple([_reply(line[2:]) for line in body.splitlines() if line.startswith("- ")])
        found[int(number)] = Question(int(number), text, look[1] if look else "", replies)
    return found


def _reply(line: str) -> Reply:
    leads = LEADS.fullmatch(line)
    if leads is None:
        return Reply(line, "", 0)
    return Reply(leads["text"].rstrip(":"), leads["id"] or "", int(leads["number"] or 0))
