"""The lab's gateway under other names: every class, function, attribute and log phrase of ours is replaced.

    with start_renamed("hot-loop") as running: ...

A verdict that stays the same rests on no name of the lab's gateway.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import itertools
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import qqdiag
from qqdiag.lab.start import Running, start

PACKAGE = Path(qqdiag.__file__).parent
SOURCES = sorted((PACKAGE / "fixes").glob("*.py")) + [
    PACKAGE / "lab" / f"{name}.py" for name in ("facts", "gateway", "leash", "misdeeds", "models", "resource_misdeeds")
]
# Words that are methods of what every program uses: replaced, `dict.get` would be too, and none is a name of ours.
SHARED = {name for kind in (dict, list, set, str, bytes) for name in dir(kind)}
WORD = re.compile(r"(?<!%)\b[A-Za-z]\w*")


def dotted(path: Path) -> str:
    """The module name of one of our sources."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


MODULES = {dotted(path): f"m{number}" for number, path in enumerate(SOURCES)}


def our_names(trees: list[ast.Module]) -> set[str]:
    """Every name that our sources define at module or class level, or as an attribute of `self`."""
    found: set[str] = set()
    for node in itertools.chain.from_iterable(map(ast.walk, trees)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        if isinstance(node, ast.ClassDef | ast.Module):
            found |= {target.id for statement in node.body for target in targets(statement)}
    return {name for name in found if not name.startswith("__")} - SHARED


def targets(statement: ast.stmt) -> list[ast.Name]:
    """The names that a statement assigns."""
    if isinstance(statement, ast.AnnAssign):
        return [statement.target] if isinstance(statement.target, ast.Name) else []
    if not isinstance(statement, ast.Assign):
        return []
    nodes = itertools.chain.from_iterable(map(ast.walk, statement.targets))
    return [node for node in nodes if isinstance(node, ast.Name)]


class Rename(ast.NodeTransformer):
    """Replaces names by a table, drops docstrings, and scrambles what is logged or raised."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self.names.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        ours = isinstance(node.func, ast.Name) and node.func.id in self.names
        if (
            isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
        ):
            node.args[0] = scrambled(node.args[0])
        self.generic_visit(node)
        for keyword in node.keywords if ours else []:
            keyword.arg = self.names.get(keyword.arg or "", keyword.arg)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args = [scrambled(argument) for argument in node.exc.args]
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and node.value[:1].isupper():  # a forward reference
            node.value = self.names.get(node.value, node.value)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        module = f"qqdiag.fixes.{node.module}" if node.level else node.module or ""
        if module in MODULES:
            node.module, node.level = f"other.{MODULES[module]}", 0
            for alias in node.names:
                alias.name = self.names[alias.name]
        return node

    def rename_definition(self, node: Any) -> Any:
        node.name = self.names.get(node.name, node.name)
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = rename_definition


def scrambled(node: ast.expr) -> ast.expr:
    """Another text with the same directives."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return node
    return ast.Constant(WORD.sub("blah", node.value))


def write_renamed(folder: Path) -> tuple[str, dict[str, str]]:
    """Write the renamed sources; answers the gateway's module, and the table of names."""
    trees = {path: ast.parse(path.read_text()) for path in SOURCES}
    names = {name: f"n{number}x" for number, name in enumerate(sorted(our_names(list(trees.values()))))}
    clash = names.keys() & set(dir(builtins))
    assert not clash, f"rename these in the sources, they hide builtins: {sorted(clash)}"
    package = folder / "other"
    package.mkdir()
    (package / "__init__.py").touch()
    for path, tree in trees.items():
        renamed = ast.fix_missing_locations(Rename(names).visit(tree))
        (package / f"{MODULES[dotted(path)]}.py").write_text(ast.unparse(renamed) + "\n")
    return f"other.{MODULES['qqdiag.lab.gateway']}", names


@contextlib.contextmanager
def start_renamed(id: str, **options: Any) -> Iterator[Running]:
    """`lab.start.start` with the renamed gateway."""
    with tempfile.TemporaryDirectory(prefix="qqdiag-renamed-") as folder:
        module, _ = write_renamed(Path(folder))
        with start(id, sources=Path(folder), module=module, **options) as running:
            yield running
