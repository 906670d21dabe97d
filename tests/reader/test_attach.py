"""What can be attached to, and what is refused, each with a sentence of its own."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import interpreters
import patients
import pytest
from edited import Edited, sentence
from interpreters import Interpreter
from patients import Patient

from qqdiag.cpython import layouts
from qqdiag.cpython.runtime import attach
from qqdiag.errors import NoSuchTarget, NotReadable
from qqdiag.memory.live import PAGE, LiveMemory
from qqdiag.memory.source import Region
from qqdiag.snapshot import Python


class WithLibrary(LiveMemory):
    """A live process that has one more file mapped."""

    library = "/usr/lib/libpypy3.10-c.so"

    def regions(self) -> list[Region]:
        return [*super().regions(), Region(PAGE, 2 * PAGE, True, False, 0, self.library)]


def test_version_and_flavour(zoo: Patient, interpreter: Interpreter) -> None:
    with LiveMemory(zoo.pid) as memory:
        runtime = attach(memory)
    assert runtime.version == interpreter.version
    assert [word.reveal() for word in runtime.flavour] == ["static" if interpreter.static else "shared"]
    assert runtime.layout.published == (interpreter.version >= (3, 13))


def test_no_such_process() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    with pytest.raises(NoSuchTarget) as caught:
        LiveMemory(process.pid)
    assert sentence(caught.value) == f"There is no process {process.pid}."


def test_not_python() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b".")
        process.stdin.flush()
        assert process.stdout.read(1) == b"."  # it is cat by now
        with LiveMemory(process.pid) as memory, pytest.raises(NotReadable) as caught:
            attach(memory)
        with WithLibrary(process.pid) as memory, pytest.raises(NotReadable) as pypy:
            attach(memory)
        process.stdin.close()
    assert "runs no Python" in sentence(caught.value)
    assert "PyPy" in sentence(pypy.value)


OLD = [path for name in ("2.7", "3.6") for path in interpreters.candidates(name) if "shims" not in path.parts]

if OLD:  # where one is at hand: nothing installs them any more

    @pytest.mark.parametrize("path", OLD, ids=lambda path: path.name)
    def test_before_there_was_a_runtime_to_find(path: Path) -> None:
        program = "import sys; sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()"
        with subprocess.Popen([path, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            with pytest.raises(NotReadable) as old:
                attach(LiveMemory(process.pid))
            process.kill()
        assert "before 3.7" in sentence(old.value)


def test_python_without_asyncio(interpreter: Interpreter) -> None:
    def waits(python: Python) -> bool:
        return len(python.threads) == 2 and all(thread.frames for thread in python.threads)

    with patients.start(interpreter.path, "plain.py") as patient:
        python = patients.read_until(patient.pid, waits)
    assert not python.has_asyncio
    assert python.tasks == python.loops == python.doubts == []
    stacks = {
        thread.native_id: [python.codes[frame.code].qualname.reveal() for frame in thread.frames]
        for thread in python.threads
    }
    assert stacks[patient.pid][-2:] == ["inner", "<module>"]
    assert "waits" in stacks[patient.truth["thread"]]


def test_subinterpreters(interpreter: Interpreter) -> None:
    def sleeps(python: Python) -> bool:
        return any(level.name.reveal() == "sleep" for task in python.tasks for level in task.chain)

    with patients.start(interpreter.path, "subinterpreter.py") as patient:
        python = patients.read_until(patient.pid, sleeps)
    task = next(task for task in python.tasks if task.name.reveal() == "inside")
    assert [level.name.reveal() for level in task.chain][:2] == ["inside", "sleep"]
    loop = next(loop for loop in python.loops if loop.address == task.loop)
    # Up to 3.12 a subinterpreter runs on the thread state of the thread that created it: its native id is that one's.
    assert loop.thread is not None
    assert (loop.thread == patient.pid) == (interpreter.version < (3, 13))


def test_deleted_executable(tmp_path: Path) -> None:
    """An interpreter that was upgraded in place: its file is gone, its memory is not."""
    debian = interpreters.find("debian")
    if debian is None or not debian.static:
        pytest.skip(interpreters.CURE["debian"])
    ask = [debian.path, "-c", "import sys; print(sys.base_prefix)"]
    home = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    executable = Path(shutil.copy(debian.path, tmp_path / "python"))
    with patients.start(executable, "plain.py", environment={**os.environ, "PYTHONHOME": home}) as patient:
        executable.unlink()
        python = patients.read(patient.pid)
    assert {word.reveal() for word in python.flavour} == {"static", "deleted"}
    assert len(python.threads) == 2


@pytest.mark.parametrize(("major", "minor"), [(3, 6), (3, 99), (2, 7)])
def test_unsupported_version(zoo: Patient, major: int, minor: int) -> None:
    with Edited(zoo.pid) as memory:
        at = attach(memory).symbols.get("Py_Version")
        if at is None:
            return  # before 3.11: what says it is below
        memory.edits[at] = struct.pack("<I", major << 24 | minor << 16 | 4 << 8 | 0xF0)
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    assert sentence(caught.value) == f"CPython {major}.{minor}.4 is not supported."


def test_other_layout(zoo: Patient, interpreter: Interpreter) -> None:
    """A build whose coroutines have another size is refused, with both numbers where it says which version it is."""
    with Edited(zoo.pid) as memory:
        runtime = attach(memory)
        expected = runtime.layout.fingerprint["PyCoro_Type"]
        memory.edits[runtime.symbols["PyCoro_Type"] + runtime.layout.type_basicsize] = struct.pack("<Q", expected + 16)
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    if interpreter.version < (3, 11):
        assert "before 3.11" in sentence(caught.value)
    else:
        assert f"PyCoro_Type has {expected + 16} bytes where {expected} were expected" in sentence(caught.value)


@pytest.mark.parametrize("name", ["3.9", "3.10"])
def test_version_that_sys_denies(zoos: Callable[..., Patient], name: str) -> None:
    """Before 3.11 the sizes of types say which version it is, and `sys.hexversion` must say the same."""
    found = interpreters.find(name)
    if found is None:
        pytest.skip(interpreters.CURE[name])
    with Edited(zoos(found.path).pid) as memory:
        runtime = attach(memory)
        module = runtime.module(runtime.interpreters[0], "sys")
        assert module is not None
        number = runtime.globals_of(module, ("hexversion",))["hexversion"]
        major, minor, micro = found.version
        assert runtime.objects.integer(number) == major << 24 | minor << 16 | micro << 8 | 0xF0
        memory.edits[number + runtime.layout.int_digits] = struct.pack("<I", 0x03080FF0)
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    assert "before 3.11" in sentence(caught.value)


def test_other_layout_of_tasks(zoo: Patient) -> None:
    with Edited(zoo.pid) as memory:
        runtime = attach(memory)
        task = next(task for task in zoo.truth["tasks"] if task["name"] == "leaf")
        info = runtime.objects.type_of(task["address"])
        memory.edits[info.address + runtime.layout.type_basicsize] = struct.pack("<Q", info.basicsize - 8)
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    assert f"_asyncio.Task has {info.basicsize - 8} bytes where {info.basicsize}" in sentence(caught.value)


def test_layouts_are_files() -> None:
    assert list(layouts.versions()) == sorted(layouts.versions())
    assert (3, 11) in layouts.versions()
    assert sys.version_info[:2] in layouts.versions() or sys.version_info >= (3, 14)
    assert layouts.layout((3, 0)) is None
