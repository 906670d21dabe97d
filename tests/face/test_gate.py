"""The gate between private and public: renderers cannot make text of anything else, and no field gets by undeclared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from test_architecture import leaves

import qqdiag
from qqdiag.model import Address, Secret, User
from qqdiag.redact.publisher import Publisher
from qqdiag.redact.schema import _of

RENDER = sorted((Path(qqdiag.__file__).parent / "render").rglob("*.py"))
MAKERS = {"str", "repr", "ascii", "format", "vars", "Shown", "show", "show_raw"}


def makers(tree: ast.AST) -> Iterator[int]:
    """Lines that make a text of a value by another way than `text_of`. A module's constants have no value yet."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    for node in (inner for function in functions for inner in ast.walk(function)):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS
        reached = isinstance(node, ast.Attribute) and node.attr in ("reveal", "__repr__", "_value")
        if called or reached or (isinstance(node, ast.FormattedValue) and node.conversion != -1):
            yield node.lineno


def imported(tree: ast.AST) -> set[str]:
    return {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", RENDER, ids=lambda path: path.stem)
def test_a_renderer_makes_no_text_of_its_own(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert list(makers(tree)) == []
    assert {"qqdiag.model", "qqdiag.snapshot", "qqdiag.finding"} & imported(tree) == set()


@pytest.mark.parametrize("code", ["str(cell)", "f'{cell!r}'", "cell.reveal()", "format(cell)", "repr(cell)"])
def test_the_search_finds_what_it_looks_for(code: str) -> None:
    assert list(makers(ast.parse(f"lambda cell: {code}"))) == [1]


class Added(msgspec.Struct):
    """What somebody adds to the snapshot, with a text that says nothing of itself."""

    note: str


@pytest.mark.parametrize("hint", [str, bytes, dict, object])
def test_a_field_without_a_public_type_is_refused_by_schema_and_publisher(hint: type) -> None:
    """A snapshot that has such a field makes no page and no schema, and test_architecture fails."""
    with pytest.raises(TypeError, match="no public form"):
        _of(hint, {})
    with pytest.raises(TypeError, match="no public form"):
        Publisher().tree(hint())
    assert str in leaves(str | None)


def test_a_struct_with_such_a_field_is_refused() -> None:
    with pytest.raises(TypeError, match="no public form"):
        Publisher().tree(Added(note="x"))
    with pytest.raises(TypeError, match="no public form"):
        _of(Added, {})


# --- pseudonyms, for any value ---------------------------------------------------------------------------------------

V4 = some.ip_addresses(v=4).map(str)


@settings(max_examples=300, deadline=None, database=None)
@given(V4)
def test_all_spellings_of_an_address_have_one_name(value: str) -> None:
    publisher = Publisher()
    numbers = [int(part) for part in value.split(".")]
    hexadecimal = bytes(reversed(numbers)).hex().upper()
    spellings = [value, f"::ffff:{value}", f"::FFFF:{bytes(numbers).hex()[:4]}:{bytes(numbers).hex()[4:]}"]
    spellings += [f"[::ffff:{value}]", hexadecimal, value.replace(".", "-")]
    assert len({publisher.text(Address(spelling)) for spelling in spellings}) == 1


@settings(max_examples=300, deadline=None, database=None)
@given(
    some.lists(some.one_of(V4, some.ip_addresses(v=6).map(str)), min_size=2, max_size=20, unique=True), some.binary()
)
def test_different_values_have_different_names_and_a_second_look_the_same(values: list[str], key: bytes) -> None:
    publisher = Publisher(key=key)
    users = [publisher.text(User(value)) for value in values]
    assert len(set(users)) == len(values)
    assert [publisher.text(User(value)) for value in values] == users


@settings(max_examples=300, deadline=None, database=None)
@given(some.text(min_size=4))
def test_of_a_secret_nothing_stays(value: str) -> None:
    shown = Publisher().text(Secret(value))
    assert shown in {f"<argument {size}>" for size in ("0", "1-8", "9-32", "33-128", ">128")}
