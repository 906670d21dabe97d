"""The zoo, started once for each interpreter: it stands still, so that any number of tests can read it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import patients
import pytest
from interpreters import Interpreter
from patients import Patient


@pytest.fixture(scope="session")
def zoos() -> Iterator[Callable[..., Patient]]:
    """`zoos(python, *arguments)`: the zoo on that interpreter."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def zoo(python: Path | str, *arguments: str) -> Patient:
            return stack.enter_context(patients.start(python, "zoo.py", *arguments))

        yield zoo


@pytest.fixture
def zoo(interpreter: Interpreter, zoos: Callable[..., Patient]) -> Patient:
    return zoos(interpreter.path)
