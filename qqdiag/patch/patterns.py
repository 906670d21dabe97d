"""`match` on one way through the code: which case takes a value, and what it binds."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

import libcst as cst

from qqdiag.patch import expressions, operations
from qqdiag.patch.constants import dotted
from qqdiag.patch.endings import Ending, stopped
from qqdiag.patch.values import Forever, Known, Raised, Several, State, Table, Thing, Unknown, Value, about

if TYPE_CHECKING:
    from qqdiag.patch.walk import Walk

Fit = tuple[bool | None, State]  # None: it may or may not take it


def match(walk: Walk, node: cst.Match, state: State) -> list[Ending]:
    """Every way through a `match`."""
    found: list[Ending] = []
    for subject, after in expressions.results(walk, node.subject, state):
        if isinstance(subject, Raised | Forever):
            found.append(stopped(subject, after, walk.code.line(node)))
        else:
            found += _cases(walk, node, subject, after)
    return found


def _cases(walk: Walk, node: cst.Match, subject: Value, state: State) -> list[Ending]:
    found: list[Ending] = []
    for case in node.cases:
        takes, bound = fit(walk, case.pattern, subject, state)
        if takes is False:
            continue
        sides = [(True, bound)] if case.guard is None else expressions.sides(walk, case.guard, bound)
        for side, after in sides:
            if not isinstance(side, bool):
                found.append(stopped(side, after, walk.code.line(node)))
            elif side:
                found += walk.block(case.body, after.looked_at(about(subject)))
        if takes and all(side is not False for side, _ in sides):
            return found
    return [*found, Ending("on", state.looked_at(about(subject)))]


def fit(walk: Walk, pattern: cst.MatchPattern, subject: Value, state: State) -> Fit:
    """Whether `case pattern:` takes a value, and the state with the names that it binds."""
    if isinstance(pattern, cst.MatchAs):
        takes, state = (True, state) if pattern.pattern is None else fit(walk, pattern.pattern, subject, state)
        return takes, state if pattern.name is None else state.put(pattern.name.value, subject)
    if isinstance(pattern, cst.MatchOr):
        answers = [fit(walk, one.pattern, subject, state)[0] for one in pattern.patterns]
        return True if True in answers else None if None in answers else False, state
    if isinstance(pattern, cst.MatchValue | cst.MatchSingleton):
        value = expressions.results(walk, pattern.value, state)[0][0]
        known = None if isinstance(value, Raised | Forever) else operations.compare(cst.Equal(), subject, value)
        return known, state
    return _parts(walk, pattern, subject, state)


def _parts(walk: Walk, pattern: cst.MatchPattern, subject: Value, state: State) -> Fit:
    """Classes, mappings and sequences: each part by itself."""
    if isinstance(pattern, cst.MatchClass):
        pairs = [(one.pattern, _attribute(walk, subject, one.key.value, state)) for one in pattern.kwds]
        return _all(walk, pairs, state, _is_a(subject, dotted(pattern.cls).rpartition(".")[2]))
    if isinstance(pattern, cst.MatchMapping) and isinstance(subject, Table):
        known = dict(subject.items)
        keys = [_key(walk, one, state) for one in pattern.elements]
        pairs = [(one.pattern, known.get(key, Unknown())) for one, key in zip(pattern.elements, keys, strict=True)]
        return _all(walk, pairs, state, True)
    if isinstance(pattern, cst.MatchSequence) and isinstance(subject, Several):
        plain = [one.value for one in pattern.patterns if isinstance(one, cst.MatchSequenceElement)]
        if len(plain) == len(pattern.patterns):
            return _all(walk, zip(plain, subject.items, strict=False), state, len(plain) == len(subject.items))
    return None, state


def _all(walk: Walk, pairs: Iterable[tuple[cst.MatchPattern, Value]], state: State, takes: bool | None) -> Fit:
    answers = [takes]
    for pattern, value in pairs:
        answer, state = fit(walk, pattern, value, state)
        answers.append(answer)
    return False if False in answers else None if None in answers else True, state


def _attribute(walk: Walk, subject: Value, name: str, state: State) -> Value:
    value = expressions.attribute(walk, subject, name, state)[0][0]
    return Unknown() if isinstance(value, Raised | Forever) else value


def _key(walk: Walk, element: cst.MatchMappingElement, state: State) -> Hashable:
    value = expressions.results(walk, element.key, state)[0][0]
    return value.value if isinstance(value, Known) else None


def _is_a(subject: Value, name: str) -> bool | None:
    if isinstance(subject, Known):
        return name in [one.__name__ for one in type(subject.value).__mro__]
    if subject == Thing("message"):
        return name == "WSMessage"
    return None
