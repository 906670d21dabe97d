"""What context managers do where their block is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from qqdiag.patch import calls, effects, expressions, tasks
from qqdiag.patch.endings import Call, Ending, distinct_endings, stopped
from qqdiag.patch.values import NONE, Forever, Raised, Several, State, Thing, Value

if TYPE_CHECKING:
    from qqdiag.patch.walk import Walk


def within(walk: Walk, node: cst.With, items: list[cst.WithItem], state: State) -> list[Ending]:
    """`with` with its items one after the other: a deadline bounds what is inside."""
    if not items:
        return walk.block(node.body, state)
    line = walk.code.line(node)
    found: list[Ending] = []
    for value, after in expressions.results(walk, items[0].item, state):
        if isinstance(value, Raised | Forever):
            found.append(stopped(value, after, line))
            continue
        bounds = value in (Thing("deadline"), Thing("move_on_after"))
        entered = [replace(after, limits=after.limits + bounds)]
        if items[0].asname is not None:
            entered = effects.put(walk, items[0].asname.name, value, entered[0], line)
        inside = [ending for one in entered for ending in within(walk, node, items[1:], one)]
        found += _left(walk, value, inside, after, line)
    return distinct_endings(found)


def _left(walk: Walk, manager: Value, inside: Iterable[Ending], before: State, line: int) -> list[Ending]:
    """The endings of a `with` whose block has these."""
    found: list[Ending] = []
    for ending in inside:
        after = replace(ending, state=replace(ending.state, limits=before.limits))
        found.append(_suppressed(after, manager))
        if manager == Thing("deadline") and ending.how != "raise":
            found.append(Ending("raise", after.state, calls.TIMED_OUT, line))
        if manager == Thing("move_on_after") and ending.how not in ("raise", "on"):
            found.append(Ending("on", after.state))
    if manager in (Thing("ws"), Thing("session")) and isinstance(manager, Thing):
        return [one for ending in found for one in _closed(walk, manager, ending, line)]
    return found


def _closed(walk: Walk, manager: Thing, ending: Ending, line: int) -> list[Ending]:
    """`async with session:` closes it."""
    said = walk.situation(Call(f"{manager.name}.close", manager, (), {}, ending.state, line)) or [(NONE, ending.state)]
    ways = [
        after
        for value, at in said
        if not isinstance(value, Raised | Forever)
        for _, after in tasks.finished(walk, value, at)
    ]
    return [replace(ending, state=way) for way in ways]


def _suppressed(ending: Ending, manager: Value) -> Ending:
    """`with contextlib.suppress(…)` ends what it names."""
    if ending.how == "raise" and isinstance(manager, Several) and isinstance(ending.value, Raised):
        names = {one.name.rpartition(".")[2].removeprefix("class:") for one in manager.items if isinstance(one, Thing)}
        return Ending("on", ending.state) if names & {*ending.value.classes} else ending
    return ending
