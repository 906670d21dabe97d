"""Places in an adapter's source that a change is made at."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import Code, Function, nodes
from qqdiag.patch.judged import Adapter, Refused
from qqdiag.patch.roles import number


def everywhere(code: Code) -> Iterator[tuple[Function, cst.CSTNode]]:
    """Each node of each function."""
    for function in code.everything():
        for node in nodes(function.node.body):
            yield function, node


def around(function: Function, wanted: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes that `wanted` lies in, the outermost first."""
    path: list[cst.CSTNode] = []

    def within(node: cst.CSTNode) -> bool:
        if node is wanted:
            return True
        for child in node.children:
            path.append(node)
            if within(child):
                return True
            path.pop()
        return False

    within(function.node.body)
    return path


def statement_of(function: Function, wanted: cst.CSTNode) -> cst.SimpleStatementLine:
    """The line that an expression stands in."""
    for node in reversed(around(function, wanted)):
        if isinstance(node, cst.SimpleStatementLine):
            return node
    raise Refused(Say("a place to change shares its line with a block"))


def asks(adapter: Adapter, op: int) -> tuple[Function, cst.If]:
    """The `if` that a frame with this op goes into.

    :raises Refused: there is none, or more
    """
    found = [(function, node) for function, node in everywhere(adapter.code) if isinstance(node, cst.If)
             and equals(adapter.code, node.test, op)]  # fmt: skip
    if len(found) != 1:
        raise Refused(Say("the one place where it takes op {op} was not found", op=op))
    return found[0]


def equals(code: Code, test: cst.BaseExpression, wanted: int) -> bool:
    """`x == wanted`, by itself or joined with `and`."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return equals(code, test.left, wanted) or equals(code, test.right, wanted)
    return (
        isinstance(test, cst.Comparison)
        and len(test.comparisons) == 1
        and isinstance(test.comparisons[0].operator, cst.Equal)
        and number(code, test.comparisons[0].comparator) == wanted
    )


def named(code: Code, text: str) -> tuple[Function, cst.If, cst.Comparison]:
    """The `if` that asks for an event by its name.

    :raises Refused: there is none, or more
    """
    found = [
        (function, node, part)
        for function, node in everywhere(code)
        if isinstance(node, cst.If)
        for part in nodes(node.test)
        if isinstance(part, cst.Comparison)
        and any(
            isinstance(one.operator, cst.Equal | cst.In)
            and isinstance(side, cst.SimpleString)
            and side.evaluated_value == text
            for one in part.comparisons
            for side in nodes(one.comparator)
        )
    ]
    if len(found) != 1:
        raise Refused(Say("the one place where it takes READY and RESUMED was not found"))
    return found[0]


def chain_top(function: Function, node: cst.If) -> cst.If:
    """The first `if` of the `if … elif …` that one is part of."""
    top = node
    for outer in reversed(around(function, node)):
        if isinstance(outer, cst.If) and outer.orelse is top:
            top = outer
        elif not isinstance(outer, cst.If):
            break
    return top
