"""One function out of a source file: cut out by its first line, and parsed.

The text may be anybody's: its length is bounded, it is parsed and never run, and what no parser takes is no function.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

MAX_LINES = 600
MAX_TEXT = 60_000  # characters of one function

TIMEOUTS = frozenset({"timeout", "timeout_at", "fail_after", "move_on_after"})

Node = TypeVar("Node", bound=ast.AST)
Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a source file; the lines of its nodes are those of the file."""

    name: str
    line: int
    node: Definition

    @property
    def body(self) -> list[ast.stmt]:
        return self.node.body

    def all(self, kind: type[Node]) -> Iterator[Node]:
        """Every node of that kind in it, outer ones first."""
        return (node for node in ast.walk(self.node) if isinstance(node, kind))


def function(text: str, line: int) -> Function | None:
    """The function whose first line, its decorators included, is `line` (1 is the first). None when there is none."""
    if not 0 < line <= text.count("\n") + 1:
        return None
    rest = text.split("\n")[line - 1 : line - 1 + MAX_LINES]
    try:
        cut = "".join(inspect.getblock([f"{one}\n" for one in rest]))
        if len(cut) > MAX_TEXT:
            return None
        tree = _parsed(textwrap.dedent(cut))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):  # ast.parse's, all of them
        return None
    first = tree.body[0] if tree.body else None
    if not isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    if min([first.lineno, *(one.lineno for one in first.decorator_list)]) != 1:
        return None
    ast.increment_lineno(tree, line - 1)
    return Function(first.name, line, first)


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():  # of its escape sequences; not for our stderr
        warnings.simplefilter("ignore")
        return ast.parse(text)


# --- what the rules ask of a node ------------------------------------------------------------------------------------


def within(node: ast.AST | list[ast.stmt], kind: type[Node]) -> Iterator[Node]:
    """Every node of that kind in a node or in a list of statements."""
    for part in node if isinstance(node, list) else [node]:
        yield from (one for one in ast.walk(part) if isinstance(one, kind))


def names(node: ast.AST | list[ast.stmt]) -> frozenset[str]:
    """The names and attributes that it uses."""
    return frozenset(one.id for one in within(node, ast.Name)) | {one.attr for one in within(node, ast.Attribute)}


def constants(node: ast.AST | list[ast.stmt]) -> frozenset[object]:
    """The numbers and texts in it."""
    return frozenset(one.value for one in within(node, ast.Constant) if isinstance(one.value, int | float | str))


def called(call: ast.Call) -> str:
    """The last part of what is called: `close` of `self._ws.close()`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def calls(node: ast.AST | list[ast.stmt], name: str) -> list[ast.Call]:
    """Calls of that name in it, first to last."""
    found = [call for call in within(node, ast.Call) if called(call) == name]
    return sorted(found, key=lambda call: (call.lineno, call.col_offset))


def assigned(node: ast.AST | list[ast.stmt], name: str) -> list[ast.expr]:
    """What is assigned to a name or attribute in it."""
    found = [one for one in within(node, ast.Assign) if any(_target(target) == name for target in one.targets)]
    return [one.value for one in found]


def _target(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def limited(function: Function, call: ast.Call) -> bool:
    """Whether a call stands inside a limit of time: `wait_for(…)`, or `timeout(…)` around its statement."""
    waits = [*calls(function.body, "wait_for"), *(one for one in calls(function.body, "wait") if one.keywords)]
    if any(call is inner for one in waits for given in one.args for inner in within(given, ast.Call)):
        return True
    return any(call is inner for body in _timed(function) for inner in within(body, ast.Call))


def _timed(function: Function) -> Iterator[list[ast.stmt]]:
    """The bodies of its `with timeout(…)` blocks: asyncio's, async_timeout's, anyio's."""
    blocks: list[ast.With | ast.AsyncWith] = [*function.all(ast.With), *function.all(ast.AsyncWith)]
    for block in blocks:
        opens = [item.context_expr for item in block.items]
        if any(isinstance(one, ast.Call) and called(one) in TIMEOUTS for one in opens):
            yield block.body


def delegated(function: Function, call: ast.Call) -> bool:
    """Whether its result is neither awaited on the spot nor left to a task that nobody keeps: then who knows."""
    awaited = any(one.value is call for one in function.all(ast.Await))
    left = [one.value for one in function.all(ast.Expr) if isinstance(one.value, ast.Call)]
    alone = any(call is given for one in left if called(one).endswith("create_task") for given in one.args)
    return not awaited and not alone
