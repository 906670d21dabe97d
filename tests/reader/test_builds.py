"""Builds of CPython 3.11 unlike the usual ones: static with `_asyncio` linked in, debug, and with changed structs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import debian_builds
import patients
import pytest
from interpreters import Interpreter, ran_on
from patients import Patient
from test_tasks import check

from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory

Zoos = Callable[..., Patient]


def build(request: pytest.FixtureRequest, flavour: str) -> Interpreter:
    try:
        path = debian_builds.python(flavour)
    except debian_builds.NotMade as error:
        pytest.skip(str(error))
    found = Interpreter(flavour, path, (3, 11, 2), True)
    ran_on(request.node, found)
    return found


@pytest.mark.parametrize(("flavour", "said"), [("static", ["static"]), ("debug", ["static", "debug"])])
@pytest.mark.parametrize("traced", [(), ("trace",)], ids=["plain", "traced"])
def test_every_task_is_what_it_says(
    request: pytest.FixtureRequest, zoos: Zoos, flavour: str, said: list[str], traced: tuple[str, ...]
) -> None:
    zoo = zoos(build(request, flavour).path, *traced)
    python = patients.read(zoo.pid)
    assert [word.reveal() for word in python.flavour] == said
    assert python.layout.reveal() == "measured-3.11"
    check(zoo, python)


def test_it_is_the_build_of_the_installer(request: pytest.FixtureRequest, zoos: Zoos) -> None:
    """As python-build-standalone is: no library, no file of `_asyncio`, no symbols but those that are exported, and
    position independent."""
    python = build(request, "static").path
    with LiveMemory(zoos(python).pid) as memory:
        files = {region.path.rpartition("/")[2] for region in memory.regions()}
        assert attach(memory).symbols["_PyRuntime"]
    assert not any(name.startswith(("libpython", "_asyncio")) for name in files)
    told = subprocess.run(["readelf", "-hS", python], capture_output=True, text=True, check=True).stdout
    assert "DYN (Position-Independent Executable file)" in told
    assert ".dynsym" in told
    assert ".symtab" not in told
