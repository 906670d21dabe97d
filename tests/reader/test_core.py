"""Core files say what the process said while it lived, or what they lack."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cores
import interpreters
import patients
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from patients import Patient

from qqdiag.collect import core as core_files
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.errors import NotReadable, QqdiagError
from qqdiag.memory import unpacked
from qqdiag.memory.core import CoreMemory
from qqdiag.memory.live import LiveMemory
from qqdiag.memory.source import Unreadable
from qqdiag.model import Missing, Text
from qqdiag.snapshot import Python, PyThread, Snapshot

GCORE = "install gcore: apt-get install gdb"
BOUND = 20.0  # seconds for one look at a small core


def sentence(error: QqdiagError) -> str:
    return said(error.message)


def said(say: object) -> str:
    """A sentence with its values."""
    values = {
        name: value.reveal() if isinstance(value, Text) else said(value) if hasattr(value, "template") else value
        for name, value in say.values.items()
    }
    return say.template.format(**values)


def python_of(snapshot: Snapshot) -> Python:
    python = snapshot.samples[0].python
    assert isinstance(python, Python), said(python.reason)
    return python


def stack(python: Python, thread: PyThread) -> tuple[int | None, list[tuple[str, int | None]]]:
    """Its frames; the zoo's reporter may still be on its way from the line that prints to the one that waits."""
    frames = [(python.codes[frame.code].qualname.reveal(), frame.line) for frame in thread.frames]
    return thread.native_id, [(name, None if name == "report" else line) for name, line in frames]


def same(python: Python, live: Python) -> None:
    """Tasks, threads and loops are those of the live process; only the numbers of code objects may differ."""
    assert len(live.tasks) > 50
    assert {task.address: task for task in python.tasks} == {task.address: task for task in live.tasks}
    assert [stack(python, thread) for thread in python.threads] == [stack(live, thread) for thread in live.threads]
    assert python.loops == live.loops


def cut_short(python: Python, live: Python) -> None:
    """gdb before 18 writes nothing of a stack behind a guard page of glibc 2.42: it ends there, and is said to."""
    assert {task.address: task.waiter for task in python.tasks} == {task.address: task.waiter for task in live.tasks}
    assert python.loops == live.loops
    for thread, whole in zip(python.threads, live.threads, strict=True):
        (native, frames), (expected, all_frames) = stack(python, thread), stack(live, whole)
        assert (native, frames) == (expected, all_frames[: len(frames)])
        assert thread.truncated == (len(frames) < len(all_frames))
    assert any(thread.truncated for thread in python.threads)


@pytest.fixture(scope="module")
def cored(
    zoos: Callable[..., Patient], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[Path, Python]]]:
    """`cored(name)`: a core that gcore made of the zoo on that interpreter, and what was read of it alive."""
    if shutil.which("gcore") is None:
        pytest.skip(GCORE)
    made: list[Path] = []

    @functools.cache
    def core(name: str) -> tuple[Path, Python]:
        found = interpreters.find(name)
        if found is None:
            pytest.skip(interpreters.CURE[name])
        zoo = zoos(found.path)
        made.append(cores.by_gcore(zoo, tmp_path_factory.mktemp("core")))
        return made[-1], patients.read(zoo.pid)

    yield core
    for path in made:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", interpreters.WANTED)
def test_gcore(cored: Callable[[str], tuple[Path, Python]], name: str) -> None:
    path, live = cored(name)
    snapshot = core_files.collect(path)
    python = python_of(snapshot)
    holes = [said(doubt) for doubt in python.doubts if "zeros where stacks were" in doubt.template]
    if holes:
        assert re.search(r"\(places: [12]\)", holes[0])  # the kernel may join those of both threads
        cut_short(python, live)
        python = replace(python, doubts=python.doubts[1:])
    else:
        same(python, live)
    assert snapshot.origin.reveal() == "core"
    assert snapshot.pid in {thread.native_id for thread in live.threads}
    assert isinstance(snapshot.samples[0].process, Missing)
    assert [doubt.template for doubt in python.doubts] == [
        "a core has no clock: the times of timers count from the soonest of them"
    ]
    assert python.taken_at == min(timer.when_at for loop in live.loops for timer in loop.timers)


def test_the_command(cored: Callable[[str], tuple[Path, Python]]) -> None:
    """`qqdiag inspect CORE`: what needs a kernel or two looks is unknown, and the exit code says so."""
    path, _ = cored("3.12")
    told = subprocess.run(
        [sys.executable, "-m", "qqdiag", "inspect", str(path)], capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 3, told.stderr
    assert "Traceback" not in told.stderr
    assert "in_condition" in told.stdout
    assert "one sample (core)" in told.stdout
    assert "a core file has no sockets" in told.stdout
    for hint in ("coredumpctl info", "journalctl _PID=", "thread apply all backtrace", "qqdiag inspect PID"):
        assert hint in told.stdout
    assert told.stdout.rstrip().splitlines()[-1].startswith("UNKNOWN")


@pytest.mark.parametrize("form", ["zstd", "lz4", "xz"])
@pytest.mark.parametrize("by", ["library", "program"])
def test_packed(small: Path, form: str, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd-coredump keeps them, unpacked by the optional library or else by the program."""
    if shutil.which(form) is None:
        pytest.skip(f"install {form}: apt-get install {form}")
    packed = small.with_suffix(f".{form}")
    with packed.open("wb") as file:
        subprocess.run([form, "-c", str(small)], stdout=file, check=True)
    if by == "program":
        monkeypatch.setattr(unpacked, "_library", lambda name: None)
    elif form != "xz" and unpacked._library({"zstd": "zstandard", "lz4": "lz4.frame"}[form]) is None:
        pytest.skip("install the libraries: pip install 'qqdiag[cores]'")
    assert len(python_of(core_files.collect(packed)).tasks) == len(python_of(core_files.collect(small)).tasks) > 50
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    with contextlib.suppress(NotReadable):
        python = core_files.collect(packed).samples[0].python
        assert isinstance(python, Missing) or any("was cut" in doubt.template for doubt in python.doubts)


def test_packed_without_means(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = small.with_suffix(".zst")
    packed.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(60))
    monkeypatch.setattr(unpacked, "_library", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotReadable) as caught:
        core_files.collect(packed)
    assert sentence(caught.value) == "the core is packed with zstd, which is not installed here"
    assert "pip install" in caught.value.hint.template


@pytest.mark.parametrize("now", ["gone", "other"])
def test_files_that_are_not_those_of_the_process(tmp_path: Path, now: str) -> None:
    """The interpreter was upgraded since: its file is not guessed to be the same."""
    debian = interpreters.find("debian")
    if debian is None or not debian.static:
        pytest.skip(interpreters.CURE["debian"])
    if shutil.which("gcore") is None:
        pytest.skip(GCORE)
    ask = [debian.path, "-c", "import sys; print(sys.base_prefix)"]
    home = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    executable = Path(shutil.copy(debian.path, tmp_path / "python"))
    with patients.start(executable, "plain.py", environment={**os.environ, "PYTHONHOME": home}) as patient:
        path = cores.by_gcore(patient, tmp_path)
    executable.unlink()
    if now == "other":
        shutil.copy("/bin/true", executable)
    snapshot = core_files.collect(path)
    path.unlink()
    expected = {"gone": "are not here", "other": "are not of the build in the core"}[now]
    doubts = [said(doubt) for doubt in python_of(snapshot).doubts]
    assert any(expected in doubt and str(executable) in doubt for doubt in doubts)
    stacks = [stack(python_of(snapshot), thread) for thread in python_of(snapshot).threads]
    assert [name for name, _ in stacks[-1][1]][-2:] == ["inner", "<module>"]


# --- bad files -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(zoos: Callable[..., Patient], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A core by hand that has just the pages that a reading needs."""
    zoo = zoos(sys.executable)
    with LiveMemory(zoo.pid) as memory:
        read_python(attach(memory), 0.0)
        data = cores.by_hand(memory.pages, memory.regions())
    path = tmp_path_factory.mktemp("small") / "core"
    path.write_bytes(data)
    return path


def look(path: Path) -> Snapshot | None:
    """A snapshot, or None where it is refused with a sentence; anything else fails, and so does slowness."""
    begun = time.monotonic()
    try:
        return core_files.collect(path)
    except NotReadable as error:
        refused = error
    finally:
        assert time.monotonic() - begun < BOUND
    assert sentence(refused)
    assert refused.hint.template
    return None


def test_small_core(small: Path) -> None:
    snapshot = look(small)
    assert snapshot is not None
    assert snapshot.pid == 4242
    assert len(python_of(snapshot).tasks) > 50


def test_cut(small: Path, tmp_path: Path) -> None:
    """Cut at every part of the file, as a full disk or a limit leaves it."""
    data = small.read_bytes()
    answers = []
    for part in range(0, 100, 5):
        path = tmp_path / "cut"
        path.write_bytes(data[: len(data) * part // 100])
        answers.append(look(path))
    for answer in answers:
        python = answer.samples[0].python if answer else None
        assert not isinstance(python, Python) or any("was cut" in doubt.template for doubt in python.doubts)
    assert any(answers)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(st.integers(0, 1 << 14), min_size=1, max_size=30),
    values=st.binary(min_size=30, max_size=30),
    end=st.one_of(st.none(), st.integers(0, 1 << 20)),
)
@example(places=[56], values=b"\xff" * 30, end=None)
def test_harmed_headers(small: Path, tmp_path: Path, places: list[int], values: bytes, end: int | None) -> None:
    """Headers, the table of segments and the notes with other bytes in them."""
    data = bytearray(small.read_bytes()[:end])
    for place, value in zip(places, values, strict=False):
        if data:
            data[place % len(data)] = value
    path = tmp_path / "harmed"
    path.write_bytes(data)
    look(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.randoms(use_true_random=False))
def test_harmed_memory(small: Path, tmp_path: Path, seed) -> None:
    """Bits of the memory itself flipped."""
    data = bytearray(small.read_bytes())
    for _ in range(seed.choice([1, 50, 3000])):
        data[seed.randrange(len(data))] ^= 1 << seed.randrange(8)
    path = tmp_path / "harmed"
    path.write_bytes(data)
    look(path)


def test_huge_counts(small: Path, tmp_path: Path) -> None:
    """A segment of almost all of memory, and one that ends beyond 64 bits: no read runs along them."""
    data = bytearray(small.read_bytes())
    first = 64 + 56
    data[first + 32 : first + 48] = (1 << 62).to_bytes(8, "little") + (1 << 63).to_bytes(8, "little")
    path = tmp_path / "huge"
    path.write_bytes(data)
    look(path)
    with path.open("rb") as file:
        core = CoreMemory(file.fileno(), len(data))
        for address, size in ((0, 1 << 40), (1 << 63, 1 << 29), ((1 << 64) - 8, 64), (-8, 8), (8, -1)):
            with pytest.raises(Unreadable):
                core.read(address, size)


def test_programs_are_no_cores(tmp_path: Path) -> None:
    with pytest.raises(NotReadable) as caught:
        core_files.collect(Path("/bin/true"))
    assert sentence(caught.value) == "this is a program or a library, not a core file"
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF\x01\x02".ljust(200, b"\0"))
    with pytest.raises(NotReadable):
        core_files.collect(foreign)
    other = bytearray(b"\x7fELF\x02\x01".ljust(400, b"\0"))
    other[16:20], other[32:40], other[54:58] = b"\x04\0\x08\0", (64).to_bytes(8, "little"), b"\x38\0\x01\0"
    foreign.write_bytes(other)
    with pytest.raises(NotReadable) as caught:
        core_files.collect(foreign)
    assert "ELF machine 8" in sentence(caught.value)
