"""`try` on one way through the code: which handler takes an exception, and what `finally` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from qqdiag.patch import effects
from qqdiag.patch.endings import Ending
from qqdiag.patch.values import Known, Raised, State

if TYPE_CHECKING:
    from qqdiag.patch.walk import Walk

Handlers = Sequence[cst.ExceptHandler] | Sequence[cst.ExceptStarHandler]


def attempt(walk: Walk, node: cst.Try | cst.TryStar, state: State) -> list[Ending]:
    """Every way through a `try`."""
    found: list[Ending] = []
    for ending in walk.block(node.body, state):
        if ending.how == "raise":
            found += _handled(walk, node.handlers, ending, state)
        elif ending.how == "on" and node.orelse:
            found += walk.block(node.orelse.body, ending.state)
        else:
            found.append(ending)
    return found if node.finalbody is None else _finally(walk, node.finalbody.body, found)


def _finally(walk: Walk, body: cst.BaseSuite, endings: Iterable[Ending]) -> list[Ending]:
    found: list[Ending] = []
    for ending in endings:
        for last in walk.block(body, ending.state):
            found.append(replace(ending, state=last.state) if last.how == "on" else last)
    return found


def _handled(walk: Walk, handlers: Handlers, ending: Ending, before: State) -> list[Ending]:
    assert isinstance(ending.value, Raised)
    found: list[Ending] = []
    for handler in handlers:
        caught = effects.catches(walk, handler.type, ending.value, ending.state)
        if caught is False:
            continue
        state = replace(ending.state, limits=before.limits).put("#error", ending.value.thing)
        state = state.put_field(ending.value.thing, "#classes", Known(ending.value.classes))
        if handler.name is not None and isinstance(handler.name.name, cst.Name):
            state = state.put(handler.name.name.value, ending.value.thing)
        found += walk.block(handler.body, state)
        if caught:
            return found
    return [*found, ending]
