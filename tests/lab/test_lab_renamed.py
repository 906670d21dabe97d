"""The renamed gateway holds none of our names, and falls into the same states."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import renamed

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[ast.Module], dict[str, str]]:
    folder = tmp_path_factory.mktemp("renamed")
    _, names = renamed.write_renamed(folder)
    return [ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))], names


def replaced(name: str) -> bool:
    return re.fullmatch(r"n\d+x", name) is not None


def test_no_definition_keeps_its_name(written: tuple[list[ast.Module], dict[str, str]]) -> None:
    trees, names = written
    assert {"Adapter", "_listen", "_read_events", "ws", "listening", "Heartbeats", "run_gateway"} <= names.keys()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.name.startswith("__") or node.name in renamed.SHARED or replaced(node.name), node.name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
                assert replaced(node.attr), node.attr


def test_no_log_phrase_and_no_docstring_is_left(written: tuple[list[ast.Module], dict[str, str]]) -> None:
    texts = "\n".join(ast.unparse(tree) for tree in written[0])
    phrases = re.findall(r"log\.\w+\(\s*\"([^\"]+)\"", "".join(path.read_text() for path in renamed.SOURCES))
    assert len(phrases) >= 6
    for phrase in phrases:
        assert phrase not in texts
    assert not [tree for tree in written[0] if ast.get_docstring(tree)]


def test_the_package_is_not_named(written: tuple[list[ast.Module], dict[str, str]]) -> None:
    assert "qqdiag" not in "\n".join(ast.unparse(tree) for tree in written[0])


@pytest.mark.parametrize("id", ["hot-loop", "recovered"])
def test_it_falls_into_the_same_state(id: str) -> None:
    with renamed.start_renamed(id) as running:
        assert running.state["outside"]
        assert b"qqdiag" not in Path(f"/proc/{running.pid}/cmdline").read_bytes().partition(b"-m")[2]
