"""Locals in a report: what is private of them comes out in no format, what is public in each."""

from __future__ import annotations

import hand_made
import pytest
from msgspec.structs import replace
from planted import Canaries, plant

from qqdiag.model import FreeText, Id
from qqdiag.publish import page
from qqdiag.snapshot import Locals, Python, Snapshot

FORMS = ("text", "md", "json")


def snapshot() -> Snapshot:
    """The hand-made one, with locals in its last sample."""
    whole = hand_made.snapshot()
    last = whole.samples[-1]
    assert isinstance(last.python, Python)
    python = replace(last.python, locals=hand_made.some_locals(last.python.tasks))
    return replace(whole, samples=[*whole.samples[:-1], replace(last, python=python)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(6))
def test_no_canary_in_a_local_comes_out(form: str, seed: int) -> None:
    canaries = Canaries(seed)
    given = plant(snapshot(), lambda kind: canaries(kind) if kind in (FreeText, Id) else None)
    shown = page(given, hand_made.diagnosis(hand_made.finding()), form)
    assert len(canaries.planted) > 2
    assert not [canary for canary in canaries.planted if canary in shown]


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_public_is_there(form: str) -> None:
    shown = page(snapshot(), hand_made.diagnosis(hand_made.finding()), form)
    wanted = ("timeout", "30", "OPEN", "QQAdapter", "_token", "group", "ClientSession")
    assert [word for word in wanted if word not in shown] == []


def test_raw_shows_all() -> None:
    shown = page(snapshot(), hand_made.diagnosis(hand_made.finding()), "text", raw=True)
    assert "tok-77-aa-19" in shown
    assert "7712345678" in shown


def test_no_locals_no_lines() -> None:
    assert "timeout = 30" in page(snapshot(), hand_made.diagnosis(hand_made.finding()), "text")
    assert "timeout = 30" not in page(hand_made.snapshot(), hand_made.diagnosis(hand_made.finding()), "text")
    empty = hand_made.snapshot()
    assert isinstance(empty.samples[-1].python, Python)
    assert not isinstance(empty.samples[-1].python.locals, Locals)
