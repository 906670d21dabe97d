"""Assignments, iteration and exceptions on one way through the code, and what a block of it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from qqdiag.patch import expressions, operations
from qqdiag.patch.code import Code, nodes
from qqdiag.patch.constants import dotted
from qqdiag.patch.endings import Call, Ending, stopped
from qqdiag.patch.values import (
    NONE,
    Forever,
    Known,
    Raised,
    Result,
    Several,
    State,
    Thing,
    Unknown,
    Value,
    about,
)

if TYPE_CHECKING:
    from qqdiag.patch.walk import Walk

FEW = 8  # items of a loop that are looked at one by one
ANY_ERROR = ("Exception", "BaseException")


def assign(walk: Walk, node: cst.Assign | cst.AnnAssign | cst.AugAssign, state: State) -> list[Ending]:
    """`=`, `: T =`, `+=` and their like."""

    if isinstance(node, cst.AugAssign):
        return _augmented(walk, node, state)
    targets = [one.target for one in node.targets] if isinstance(node, cst.Assign) else [node.target]
    if node.value is None:
        return [Ending("on", state)]
    line = walk.code.line(node)
    found: list[Ending] = []
    for value, after in expressions.results(walk, node.value, state):
        if isinstance(value, Raised | Forever):
            found.append(stopped(value, after, line))
            continue
        ways = [after]
        for target in targets:
            ways = [at for way in ways for at in put(walk, target, value, way, line)]
        found += [Ending("on", way) for way in ways]
    return found


def put(walk: Walk, target: cst.BaseExpression, value: Value, state: State, line: int) -> list[State]:
    """The state after `target = value`."""
    if isinstance(target, cst.Name):
        return [state.put(target.value, value).happened("name", target.value, line, value)]
    if isinstance(target, cst.Tuple | cst.List):
        parts = value.items if isinstance(value, Several) and len(value.items) == len(target.elements) else ()
        for place, element in enumerate(target.elements):
            part = parts[place] if parts else Unknown(about(value))
            state = put(walk, element.value, part, state, line)[0]
        return [state]
    if isinstance(target, cst.Attribute):
        found: list[State] = []
        for base, after in expressions.results(walk, target.value, state):
            if isinstance(base, Thing):
                name = target.attr.value
                found.append(after.put_field(base, name, value).happened("set", name, line, value))
            else:
                found.append(after.happened("set", target.attr.value, line, value))
        return found
    return [state]


def _augmented(walk: Walk, node: cst.AugAssign, state: State) -> list[Ending]:

    line = walk.code.line(node)
    found: list[Ending] = []
    for value, after in expressions.results(walk, node.value, state):
        if isinstance(value, Raised | Forever):
            found.append(stopped(value, after, line))
            continue
        name = dotted(node.target).rpartition(".")[2]
        kind = "more" if isinstance(node.operator, cst.AddAssign) else "less"
        after = after.happened(kind, name, line, value)
        for before, at in expressions.results(walk, node.target, after):
            made = _sum(node.operator, before, value, name)
            found += [Ending("on", way) for way in _put_quietly(walk, node.target, made, at, line)]
    return found


def _put_quietly(walk: Walk, target: cst.BaseExpression, value: Value, state: State, line: int) -> list[State]:
    if isinstance(target, cst.Name):
        return [state.put(target.value, value)]
    return put(walk, target, value, state, line)


def _sum(operator: cst.BaseAugOp, before: Result, value: Value, name: str) -> Value:
    if isinstance(before, Known) and isinstance(value, Known) and isinstance(operator, cst.AddAssign):
        return operations.calculate(cst.Add(), before, value)
    return Unknown(frozenset({name}))


def next_of(walk: Walk, node: cst.For, state: State) -> list[tuple[bool | Raised | Forever, State]]:
    """A `for` at its head: there is another one, or none."""

    found: list[tuple[bool | Raised | Forever, State]] = []
    for value, after in expressions.results(walk, node.iter, state):
        if isinstance(value, Raised | Forever):
            found.append((value, after))
            continue
        said = None
        if value == Thing("ws"):
            said = walk.situation(Call("ws.__anext__", value, (), {}, after, walk.code.line(node)))
        few = isinstance(value, Several) and len(value.items) <= FEW
        each = value.items if isinstance(value, Several) and few else (Unknown(about(value)),)
        for one, at in said if said is not None else [(one, after) for one in each]:
            if isinstance(one, Raised | Forever):
                found.append((one, at))
            elif said is not None and one == NONE:
                found.append((False, at))
            else:
                found += [(True, way) for way in put(walk, node.target, one, at, 0)]
        if said is None:
            found.append((False, after))
    return found


def catches(walk: Walk, node: cst.BaseExpression | None, raised: Raised, state: State) -> bool | None:
    """Whether `except node:` takes it; None when its classes are not known."""
    if node is None:
        return True
    kinds = [value for value, _ in expressions.results(walk, node, state)]
    names: list[str] = []
    for kind in kinds:
        for one in kind.items if isinstance(kind, Several) else (kind,):
            if not isinstance(one, Thing):
                return None
            names.append(one.name.rpartition(".")[2].removeprefix("class:"))
    return any(name in raised.classes for name in names)


def raised_of(walk: Walk, value: Result | None, state: State) -> Raised:
    """The exception that `raise value` sends on its way."""
    if isinstance(value, Raised):
        return value
    known = state.fields.get((value, "#classes")) if isinstance(value, Thing) else None
    if isinstance(value, Thing) and isinstance(known, Known) and isinstance(known.value, tuple):
        return Raised(known.value, value)
    if isinstance(value, Thing):
        name = value.name.rpartition(".")[2].removeprefix("class:").partition("#")[0]
        return Raised(walk.code.lineage(name), value)
    return Raised(ANY_ERROR)


def names_set(body: cst.BaseSuite) -> frozenset[str]:
    """Local names that a block assigns."""
    return frozenset(
        part.value for target in _targets(body) for part in nodes(target) if isinstance(part, cst.Name)
    ) - {"self"}


def fields_set(code: Code, body: cst.BaseSuite) -> frozenset[str]:
    """Attributes that a block assigns, by itself or through the functions of this module."""
    if body not in code.changed:
        seen, waiting, found = set[str](), [body], set[str]()
        while waiting:
            one = waiting.pop()
            found |= {target.attr.value for target in _targets(one) if isinstance(target, cst.Attribute)}
            for node in nodes(one):
                name = dotted(node).rpartition(".")[2] if isinstance(node, cst.Name | cst.Attribute) else ""
                called = code.resolve(name) if name and name not in seen else None
                seen.add(name)
                waiting += [called.node.body] if called is not None else []
        code.changed[body] = frozenset(found)
    return code.changed[body]


def _targets(body: cst.CSTNode) -> list[cst.CSTNode]:
    found: list[cst.CSTNode] = []
    for node in nodes(body):
        if isinstance(node, cst.AssignTarget | cst.AugAssign | cst.AnnAssign | cst.NamedExpr | cst.For):
            found += _parts(node.target)
        elif isinstance(node, cst.AsName):
            found.append(node.name)
    return found


def _parts(target: cst.CSTNode) -> list[cst.CSTNode]:
    if isinstance(target, cst.Tuple | cst.List):
        return [part for element in target.elements for part in _parts(element.value)]
    return [target]
