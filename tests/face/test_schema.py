"""The JSON Schema: every document that is printed is valid, and one that is harmed is not."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from qqdiag.lab.start import start

Document = dict[str, Any]


def qqdiag(*arguments: str) -> Any:
    command = [sys.executable, "-P", "-m", "qqdiag", *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = qqdiag("schema")
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture(scope="module", params=["hot-loop", "dead-listener"])
def pid(request: pytest.FixtureRequest) -> Iterator[int]:
    with start(request.param) as running:
        yield running.pid


def errors(validator: Draft202012Validator, document: Document) -> list[str]:
    """What is wrong, below the two shapes that a document may have."""
    return [part.message for error in validator.iter_errors(document) for part in (error, *(error.context or []))]


@pytest.mark.lab
def test_what_is_printed_of_a_process_and_of_its_capture_is_valid(
    pid: int, validator: Draft202012Validator, tmp_path: Path
) -> None:
    file = str(tmp_path / "hang.qqd")
    commands = (
        ("inspect", str(pid), "--json", "--interval", "0.2"),
        ("inspect", str(pid), "--json", "--raw", "--interval", "0"),
        ("inspect", str(pid), "--json", "--deep", "--no-pause", "--interval", "0"),
        ("report", str(pid), "--format", "json", "--interval", "0"),
    )
    for command in commands:
        document = qqdiag(*command)
        assert "snapshot" in document
        assert errors(validator, document) == []
    subprocess.run(
        [sys.executable, "-P", "-m", "qqdiag", "capture", str(pid), "--interval", "0", "-o", file],
        check=True,
        timeout=60,
    )
    assert errors(validator, qqdiag("inspect", file, "--json")) == []


def test_an_error_is_valid(validator: Draft202012Validator) -> None:
    document = qqdiag("inspect", "4194304", "--json")
    assert document["error"]["kind"]
    assert errors(validator, document) == []


@pytest.mark.lab
def test_a_document_of_another_shape_is_not_valid(pid: int, validator: Draft202012Validator) -> None:
    good = qqdiag("inspect", str(pid), "--json", "--interval", "0")
    task = ("snapshot", "samples", 0, "python", "tasks", 0)
    assert errors(validator, good) == []
    for path, name, value in (
        ((), "verdict", "fine"),
        ((), "schema_version", 0),
        (task, "address", "somewhere"),
        (task, "chain", None),
        (task, "surprise", 1),
    ):
        bad = copy.deepcopy(good)
        place: Any = bad
        for step in path:
            place = place[step]
        place[name] = value
        assert errors(validator, bad), name
    del good["findings"]
    assert errors(validator, good)
