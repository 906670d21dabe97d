"""Tuples, lists, sets, dicts and comprehensions on one way through the code."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from qqdiag.patch import expressions
from qqdiag.patch.values import Forever, Known, Raised, Several, State, Table, Unknown, Value, about

if TYPE_CHECKING:
    from qqdiag.patch.endings import Outcome
    from qqdiag.patch.walk import Walk


def several(walk: Walk, node: cst.Tuple | cst.List | cst.Set, state: State) -> list[Outcome]:
    def made(values: list[Value], after: State) -> list[Outcome]:
        items: list[Value] = []
        for element, value in zip(node.elements, values, strict=True):
            if not isinstance(element, cst.StarredElement):
                items.append(value)
            elif isinstance(value, Several):
                items += value.items
            else:
                return [(Unknown(about(*values)), after)]
        return [(Several(tuple(items)), after)]

    return expressions.combined(walk, [one.value for one in node.elements], state, made)


def comprehension(walk: Walk, node: cst.ListComp | cst.SetComp | cst.GeneratorExp, state: State) -> list[Outcome]:
    """Each item that is known, or one that is not."""
    found: list[Outcome] = []
    for many, after in expressions.results(walk, node.for_in.iter, state):
        if isinstance(many, Raised | Forever):
            found.append((many, after))
            continue
        ways: list[tuple[tuple[Value, ...], State]] = [((), after)]
        for item in many.items if isinstance(many, Several) else (Unknown(about(many)),):
            ways = [way for before, at in ways for way in _one_more(walk, node, item, before, at)]
        found += [(Several(items), replace(at, locals=state.locals)) for items, at in ways]
    return found


def _one_more(
    walk: Walk,
    node: cst.ListComp | cst.SetComp | cst.GeneratorExp,
    item: Value,
    before: tuple[Value, ...],
    state: State,
) -> list[tuple[tuple[Value, ...], State]]:
    target = node.for_in.target
    at = state.put(target.value, item) if isinstance(target, cst.Name) else state
    kept: list[State] = [at]
    for test in node.for_in.ifs:
        kept = [after for one in kept for side, after in expressions.sides(walk, test.test, one) if side is True]
    found = [
        ((*before, value), after)
        for one in kept
        for value, after in expressions.results(walk, node.elt, one)
        if not isinstance(value, Raised | Forever)
    ]
    certain = kept and all(one.decided == at.decided for one in kept)
    return found if found and certain else [*found, (before, state)]


def table_of(walk: Walk, node: cst.Dict, state: State) -> list[Outcome]:
    parts = [part for one in node.elements for part in (_key(one), one.value)]

    def made(values: list[Value], after: State) -> list[Outcome]:
        pairs: list[tuple[Hashable, Value]] = []
        for element, key, value in zip(node.elements, values[::2], values[1::2], strict=True):
            if isinstance(element, cst.StarredDictElement):
                pairs += pairs_of(value)
            elif isinstance(key, Known):
                pairs.append((key.value, value))
        return [(table(pairs), after)]

    return expressions.combined(walk, parts, state, made)


def _key(element: cst.BaseDictElement) -> cst.BaseExpression:
    return element.key if isinstance(element, cst.DictElement) else cst.Name("None")


def table(pairs: Iterable[tuple[Hashable, Value]]) -> Table:
    """The last of a key counts."""
    return Table(tuple(dict(pairs).items()))


def pairs_of(value: Value) -> list[tuple[Hashable, Value]]:
    """What `**value` adds."""
    return list(value.items) if isinstance(value, Table) else []
