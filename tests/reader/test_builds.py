"""Builds of CPython 3.11 unlike the usual ones: static with `_asyncio` linked in, debug, and with changed structs."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
from collections.abc import Callable

import debian_builds
import interpreters
import patients
import pytest
from edited import Edited, sentence
from interpreters import Interpreter, ran_on
from patients import Patient
from test_tasks import check

from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.errors import NotReadable
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


def test_a_library_and_an_executable_at_a_fixed_address(request: pytest.FixtureRequest, zoos: Zoos) -> None:
    """Neither a PIE nor static: what is read is in the library, wherever that was loaded."""
    python = build(request, "shared-fixed").path
    zoo = zoos(python)
    found = patients.read(zoo.pid)
    assert [word.reveal() for word in found.flavour] == ["shared"]
    assert found.layout.reveal() == "measured-3.11"
    check(zoo, found)
    with LiveMemory(zoo.pid) as memory:
        regions = [region for region in memory.regions() if region.path == str(python)]
        assert regions[0].start == 0x400000
        assert any("/libpython3.11.so" in region.path for region in memory.regions())
    told = subprocess.run(["readelf", "-h", python], capture_output=True, text=True, check=True).stdout
    assert "EXEC (Executable file)" in told


# --- a field more ----------------------------------------------------------------------------------------------------


def test_coroutines_with_a_field_more(request: pytest.FixtureRequest, zoos: Zoos) -> None:
    """Compiled into the interpreter. It is found where it is, and everything is read as it is."""
    zoo = zoos(build(request, "padded-generators").path)
    python = patients.read(zoo.pid)
    assert [word.reveal() for word in python.flavour] == ["static", "calibrated"]
    check(zoo, python)


def with_asyncio(
    request: pytest.FixtureRequest, field: str, program: str
) -> contextlib.AbstractContextManager[Patient]:
    """A program on an `_asyncio` that has a field more in front of `field`."""
    found = interpreters.find("3.11")
    if found is None:
        pytest.skip(interpreters.CURE["3.11"])
    build(request, "static")  # made along with it
    return patients.start(
        found.path, program, environment={**os.environ, "PYTHONPATH": str(debian_builds.asyncio_of(field))}
    )


@pytest.mark.parametrize("field", debian_builds.PADDED)
def test_tasks_with_a_field_more(request: pytest.FixtureRequest, field: str) -> None:
    """Compiled into `_asyncio`, in each place. It is found where it is; refused where no task shows that."""
    with with_asyncio(request, field, "zoo.py") as zoo:
        if field == "cancel":  # no task of the zoo has that flag set
            with pytest.raises(NotReadable) as caught:
                patients.read(zoo.pid)
            assert "_asyncio.Task has 184 bytes where 176 were expected" in sentence(caught.value)
            return
        python = patients.read(zoo.pid)
        assert [word.reveal() for word in python.flavour] == ["shared", "calibrated"]
        check(zoo, python)


@pytest.mark.parametrize("field", ["callbacks", "result", "flags", "last"])
def test_too_few_tasks_to_tell(request: pytest.FixtureRequest, field: str) -> None:
    """The same builds, with tasks that leave the fields beside the new one empty: nothing is guessed."""
    with with_asyncio(request, field, "few.py") as patient, pytest.raises(NotReadable) as caught:
        patients.read(patient.pid)
    assert "_asyncio.Task has 184 bytes where 176 were expected" in sentence(caught.value)


# --- other states of interpreters and threads, other headers: in memory that says so ---------------------------------


def swapped(memory: Edited, interpreter: int, one: int, other: int) -> None:
    first, second = memory.read(interpreter + one, 8), memory.read(interpreter + other, 8)
    memory.edits |= {interpreter + one: second, interpreter + other: first}


def test_modules_elsewhere(zoo: Patient, interpreter: Interpreter) -> None:
    """Another release has `sys.modules` in another place of the interpreter's state: it is found there."""
    with Edited(zoo.pid) as memory:
        runtime = attach(memory)
        place = runtime.layout.interpreter_modules
        swapped(memory, runtime.interpreters[-1], place, place + 64)
        if interpreter.version < (3, 11):  # `sys` says which version it is
            with pytest.raises(NotReadable):
                attach(memory)
            return
        again = attach(memory)
        assert again.layout.interpreter_modules == place + 64
        assert "calibrated" in [word.reveal() for word in again.flavour]
        check(zoo, read_python(again, 0.0))


def test_no_modules(zoo: Patient, interpreter: Interpreter) -> None:
    """A dict that is not `sys.modules`, and no other: refused with its address."""
    with Edited(zoo.pid) as memory:
        runtime = attach(memory)
        module = runtime.module(runtime.interpreters[-1], "asyncio.tasks")
        assert module is not None
        namespace = runtime.objects.read_word(module + runtime.layout.module_dict)
        at = runtime.interpreters[-1] + runtime.layout.interpreter_modules
        memory.edits[at] = struct.pack("<Q", namespace)
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    if interpreter.version >= (3, 11):
        assert f"sys.modules is not at {at}, where {namespace} stands" in sentence(caught.value)


@pytest.mark.parametrize(("field", "place"), [("interp", 16), ("native_thread_id", None), ("dict", None)])
def test_threads_with_a_field_more(zoo: Patient, field: str, place: int | None) -> None:
    """A pointer to code stands where a field of the thread's state should be: refused with the field and the number."""
    with Edited(zoo.pid) as memory:
        runtime = attach(memory)
        layout = runtime.layout
        thread = runtime.objects.read_word(runtime.interpreters[-1] + layout.interpreter_threads)
        place = {"native_thread_id": layout.thread_native_id, "dict": layout.thread_dict}.get(field, place)
        if place is None:
            return  # before 3.11 there is no such field
        found = runtime.objects.type_of(zoo.truth["loop"]).address
        memory.edits[thread + place] = struct.pack("<Q", found)
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    assert f"{field} is not at {thread + place}, where {found} stands" in sentence(caught.value)


def test_longer_headers(zoo: Patient, interpreter: Interpreter) -> None:
    """As --with-trace-refs makes them, and builds without a global lock: told as what it is."""
    if interpreter.version < (3, 11):
        return  # which version it is is not even known
    with Edited(zoo.pid) as memory:
        address = attach(memory).symbols["PyType_Type"]
        memory.edits = {address + 8: struct.pack("<Q", 0), address + 24: struct.pack("<Q", address)}
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    assert sentence(caught.value) == "Each object of this build of CPython begins with 32 bytes where 16 were expected."
