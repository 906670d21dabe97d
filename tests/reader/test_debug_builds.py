"""CPython built with --with-pydebug: other sizes of the interpreter's own state, the same objects."""

from __future__ import annotations

from collections.abc import Callable

import debian_unstable
import interpreters
import patients
import pytest
from interpreters import Interpreter
from patients import Patient
from test_tasks import check

from qqdiag.cpython import frames
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory


@pytest.fixture(params=[f"{version}-dbg" for version in debian_unstable.VERSIONS])
def debug_build(request: pytest.FixtureRequest) -> Interpreter:
    found = interpreters.unstable(request.param)
    if found is None:
        pytest.skip(interpreters.CURE[request.param])
    interpreters.ran_on(request.node, found)
    return found


def test_every_task_is_what_it_says(debug_build: Interpreter, zoos: Callable[..., Patient]) -> None:
    zoo = zoos(debug_build.path)
    python = patients.read(zoo.pid)
    assert [word.reveal() for word in python.flavour] == ["static", "debug"]
    check(zoo, python)


def test_locals(debug_build: Interpreter, zoos: Callable[..., Patient]) -> None:
    zoo = zoos(debug_build.path)
    level = next(task for task in zoo.truth["tasks"] if task["name"] == "nested")["chain"][0]
    with LiveMemory(zoo.pid) as memory:
        runtime = attach(memory)
        found = frames.locals_of(runtime, level["address"])
        assert {name: runtime.objects.integer(value) for name, value in found.items()} == {"depth": 5}
