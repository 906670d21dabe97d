"""The laws that a reader relies on, read off the syntax trees: who imports whom, who prints, what a sentence is."""

from __future__ import annotations

import ast
import inspect
import re
import string
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import qqdiag
from qqdiag import snapshot
from qqdiag.cli import cli
from qqdiag.model import Missing, Say, Text

ROOT = Path(qqdiag.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# The arrow. A part imports only parts that stand on an earlier line, or its own line.
ARROW = """
model
errors
as_root
output
snapshot codec
profiles versions
memory
cpython
collect
waits episodes witness
finding
signatures
diagnose
explain
report
redact
render
access find target recording run capture pseudonym_key
fixes patch
lab
attach doctor exits publish remedies survey
tally
watch
triage
cli __main__
"""
PLACES = {part: place for place, line in enumerate(ARROW.split("\n")) for part in line.split()}

# What the order alone does not say.
APART = {
    "memory": {"snapshot", "profiles"},
    "waits": {"memory", "cpython", "collect"},
    "signatures": {"memory", "cpython", "collect"},
    "diagnose": {"memory", "cpython", "collect"},
    "report": {"memory", "cpython", "collect", "profiles", "signatures", "diagnose"},
    "redact": {"memory", "cpython", "collect", "profiles", "signatures", "diagnose"},
    "render": {"memory", "cpython", "collect", "profiles", "signatures", "diagnose", "snapshot", "finding"},
    "fixes": set(PLACES) - {"fixes"},
    "lab": set(PLACES) - {"lab", "fixes", "errors", "model"},
}

# Programs of their own, run by qqdiag as child processes: stdout is how they answer their parent.
CHILD_PROGRAMS = {"collect/logs/calls.py", "lab/gateway.py", "lab/server.py", "lab/leash.py", "memory/tracer.py"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in MODULES:
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def part_of(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "qqdiag":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:  # relative ones stay in their part
            yield from [node.module.split(".")[1]] if node.module.startswith("qqdiag.") else []
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("qqdiag."))


def test_every_module_has_its_place_in_the_arrow() -> None:
    assert {part_of(name) for name, _ in trees()} - {"__init__"} - set(PLACES) == set(), "give it a line in ARROW"


def test_imports_go_one_way() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, tree in trees()
        for imported in imports(tree)
        if part_of(name) != "__init__"
        and (PLACES.get(imported, 0) > PLACES.get(part_of(name), 0) or imported in APART.get(part_of(name), set()))
    ]
    assert not wrong


def calls(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def constants() -> dict[str, str]:
    """Every name in capitals that a module sets to a literal text."""
    return {
        target.id: node.value.value
        for _, tree in trees()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def templates(node: ast.expr, known: dict[str, str]) -> Iterator[str | None]:
    """The literals that an expression can be; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from templates(node.body, known)
        yield from templates(node.orelse, known)
    else:
        yield known.get(node.id) if isinstance(node, ast.Name) else None


def fields(template: str) -> set[str]:
    parsed = list(string.Formatter().parse(template))
    assert all(not spec and conversion is None for _, name, spec, conversion in parsed if name is not None), template
    return {name for _, name, _, _ in parsed if name is not None}


def test_a_sentence_is_a_literal_and_has_all_its_values() -> None:
    found = 0
    known = constants()
    for name, tree in trees():
        for call in calls(tree, "Say"):
            place = f"{name}:{call.lineno}"
            assert len(call.args) == 1, place
            named = {keyword.arg for keyword in call.keywords}
            for template in templates(call.args[0], known):
                found += 1
                assert template is not None, f"{place}: the template is not a literal"
                assert None in named or fields(template) == named, f"{place}: {template}"
    assert found > 100, "the search finds no sentence"


def test_every_command_that_is_suggested_exists() -> None:
    """Hints are typed as they are; the commands of design.md come one after the other."""
    planned = {"doctor", "ps", "triage", "watch", "fixes"} - set(cli.commands)
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not planned & set(re.findall(r"qqdiag ([a-z]+)", node.value)), f"{name}:{node.lineno}"


def test_a_word_in_our_own_code_is_a_literal_or_an_id() -> None:
    """Shown text is made in redact alone."""
    makers = {name for name, tree in trees() for maker in ("Shown", "show", "show_raw") for _ in calls(tree, maker)}
    assert {part_of(name) for name in makers} == {"redact"}


def structs() -> list[type[msgspec.Struct]]:
    found = [kind for _, kind in inspect.getmembers(snapshot, inspect.isclass) if issubclass(kind, msgspec.Struct)]
    return [*found, Missing]


def leaves(hint: object) -> Iterator[object]:
    arguments = typing.get_args(hint)
    if not arguments:
        yield hint
        return
    assert typing.get_origin(hint) in (list, tuple, types.UnionType, typing.Union), hint
    for argument in arguments:
        yield from leaves(argument)


@pytest.mark.parametrize("struct", structs(), ids=lambda struct: struct.__name__)
def test_every_field_of_the_snapshot_has_a_public_form(struct: type[msgspec.Struct]) -> None:
    for name, hint in typing.get_type_hints(struct).items():
        if name in struct.__struct_fields__:
            for leaf in leaves(hint):
                assert isinstance(leaf, type), f"{struct.__name__}.{name}"
                public = leaf in (int, float, bool, type(None), Say) or issubclass(leaf, Text | msgspec.Struct)
                assert public, f"{struct.__name__}.{name}: {leaf.__name__} is not declared public"


def ends_or_prints(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "SystemExit"
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    endings = ("sys.exit", "os._exit", "exit", "quit", "print", "click.echo", "echo", "sys.excepthook")
    return called in endings or called.startswith(("sys.stdout.write", "sys.stderr.write"))


def test_only_the_command_line_prints_and_exits() -> None:
    found = {name for name, tree in trees() for node in ast.walk(tree) if ends_or_prints(node)}
    assert {part_of(name) for name in found - CHILD_PROGRAMS} == {"cli"}


def is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def test_one_broad_except() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    ]
    assert [place.partition(":")[0] for place in found] == ["collect/__init__.py"], found


def test_modules_stay_small() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > 300} == {}


def test_every_module_says_what_it_is() -> None:
    assert [name for name, tree in trees() if tree.body and ast.get_docstring(tree) is None] == []
