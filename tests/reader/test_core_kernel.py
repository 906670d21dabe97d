"""The kernel's own cores, of each interpreter: what they say is what the process said before it died."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cores
import interpreters
import patients
import pytest
from msgspec.structs import replace
from patients import Patient
from test_core import python_of, said, stack
from test_tasks import forgotten, seen, seen_level, told, told_level

from qqdiag import capture, run
from qqdiag.collect import core as core_files
from qqdiag.collect import deep, whole
from qqdiag.diagnose import diagnose
from qqdiag.memory import originals
from qqdiag.memory.live import LiveMemory
from qqdiag.memory.stored import Stored
from qqdiag.model import Missing, Word
from qqdiag.publish import page
from qqdiag.recording import Memory
from qqdiag.snapshot import Deep, Python, Snapshot, Task
from qqdiag.target import Core

AT_ITS_END = ("taken_at", "method", "doubts", "threads")  # what differs between a core and a process that lives
LARGEST = 5_000_000  # bytes of a capture
SECONDS = 60.0


@dataclass(frozen=True)
class Died:
    """A process that is dead: its core, what it said of itself, and what was read of it while it lived."""

    core: Path
    root: Path
    patient: Patient
    live: Python
    heap: Deep
    whole: whole.Whole

    @property
    def sysroot(self) -> Path | None:
        return None if self.root == Path("/") else self.root


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Died]]:
    """`died(name)`: the zoo on that interpreter, after SIGABRT."""
    try:
        cores.check_kernel()
    except cores.NotHere as error:
        pytest.skip(str(error))
    with contextlib.ExitStack() as stack:

        @functools.cache
        def zoo(name: str) -> Died:
            found = interpreters.find(name)
            if found is None:
                pytest.skip(interpreters.CURE[name])
            folder = tmp_path_factory.mktemp("core")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            return ended(*stack.enter_context(cores.place(found.path, folder)))

        yield zoo


def ended(python: Path, folder: Path, root: Path) -> Died:
    with patients.start(python, "zoo.py", folder=folder, before=cores.allow) as zoo:
        live = patients.read(zoo.pid)
        with LiveMemory(zoo.pid) as memory:
            heap = deep.walk(memory)
        kept = whole.collect(zoo.pid, time.monotonic() + SECONDS)
        assert isinstance(kept, whole.Whole)
        return Died(cores.by_kernel(zoo, folder, root), root, zoo, live, heap, kept)


@pytest.mark.parametrize("name", interpreters.WANTED)
def test_what_was_read_of_it_alive(died: Callable[[str], Died], name: str) -> None:
    dead = died(name)
    snapshot = core_files.collect(dead.core, dead.sysroot)
    python = python_of(snapshot)
    for field in set(Python.__struct_fields__) - {*AT_ITS_END}:
        assert getattr(python, field) == getattr(dead.live, field), field
    assert len(python.tasks) > 50
    assert python.locks
    assert [stack(python, thread) for thread in python.threads] == [
        stack(dead.live, thread) for thread in dead.live.threads
    ]
    assert [said(doubt) for doubt in python.doubts] == [
        "a core has no clock: the times of timers count from the soonest of them"
    ]
    assert snapshot.pid == dead.patient.pid
    process = snapshot.samples[0].process
    assert isinstance(process, Missing)
    assert "ended by signal 6" in said(process.reason)


@pytest.mark.parametrize("name", interpreters.WANTED)
def test_what_it_said_of_itself(died: Callable[[str], Died], name: str) -> None:
    """Each task of its main loop, and each level of its chain."""
    dead = died(name)
    python = python_of(core_files.collect(dead.core, dead.sysroot))
    found = {task.address: task for task in python.tasks}
    compared = 0
    for truth in dead.patient.truth["tasks"]:
        if forgotten(dead.patient, truth) or moved(truth):
            continue
        task = found[truth["address"]]
        assert seen(task)["waiter"] == told(truth)["waiter"]
        if task.state.reveal() == "pending":
            chain = [seen_level(python, level) for level in task.chain]
            if truth["name"].startswith("python ") and "future" in truth["name"]:
                assert chain.pop()[0] == task.waiter  # `yield self`: the interpreter itself shows no edge
            assert chain == [told_level(level) for level in truth["chain"]]
            compared += 1
    assert compared > 40


def moved(truth: dict[str, Any]) -> bool:
    """Those that went on after it had spoken: the reporter itself, what it cancelled then, what had not begun."""
    waits = truth["waiter"] is not None or not truth["chain"]
    return truth["name"] in ("reporter", "spins by yielding") or not waits


@pytest.mark.parametrize("name", interpreters.WANTED)
def test_none_of_its_files(died: Callable[[str], Died], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that has none of its files every chain is there, but for names of C's types."""
    dead = died(name)
    monkeypatch.setattr(originals.os, "open", absent)
    python = python_of(core_files.collect(dead.core))
    assert {task.address: levels(task) for task in python.tasks} == {
        task.address: levels(task) for task in dead.live.tasks
    }
    assert [stack(python, thread) for thread in python.threads] == [
        stack(dead.live, thread) for thread in dead.live.threads
    ]
    assert any("are not here" in doubt.template for doubt in python.doubts)


def absent(path: str, flags: int) -> int:
    raise FileNotFoundError(path)


def levels(task: Task) -> tuple[object, ...]:
    chain = [(level.address, level.line, level.offset) for level in task.chain]
    return task.name, task.state, task.waiter, [level.name for level in task.chain if level.code is not None], chain


# --- where the files of its process are ------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(died: Callable[[str], Died]) -> Died:
    """One that ran under another root, as in a container."""
    dead = died("3.14")
    if dead.sysroot is None:
        pytest.skip(interpreters.CURE["3.14"])
    return dead


def test_without_the_folder_no_other_build_is_taken(elsewhere: Died) -> None:
    """This machine has a libc of another build at the same place: it stands for nothing."""
    doubts = [said(doubt) for doubt in python_of(core_files.collect(elsewhere.core)).doubts]
    assert any("are not here" in doubt and "/usr/bin/python3.14" in doubt for doubt in doubts)
    assert any("not of the build in the core" in doubt and "libc.so.6" in doubt for doubt in doubts)
    assert all("--sysroot" in doubt for doubt in doubts if "files" in doubt)


def test_a_folder_with_another_build(elsewhere: Died, tmp_path: Path) -> None:
    """The container's image was built anew since; and a link that leads out of the folder is followed within it."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    shutil.copy("/bin/true", tmp_path / "usr/bin/other")
    (tmp_path / "usr/bin/python3.14").symlink_to("/usr/bin/other")
    doubts = [said(doubt) for doubt in python_of(core_files.collect(elsewhere.core, tmp_path)).doubts]
    assert any("not of the build in the core" in doubt and "python3.14" in doubt for doubt in doubts)
    assert any("are not here" in doubt for doubt in doubts)


def test_a_path_without_end(tmp_path: Path) -> None:
    """Each of its parts would be opened."""
    (tmp_path / "usr").mkdir()
    with pytest.raises(OSError, match="name too long"):
        core_files._below(tmp_path, "/usr/.." * 10_000_000)
    os.close(core_files._below(tmp_path, "/usr/../" * 100 + linked(tmp_path)))


def linked(folder: Path) -> str:
    (folder / "file").write_bytes(b"1")
    (folder / "link").symlink_to("/file")
    return "link"


def test_the_option(elsewhere: Died, tmp_path: Path) -> None:
    told = qqdiag("inspect", elsewhere.core, "--sysroot", elsewhere.root)
    assert told.returncode == 3, told.stderr
    assert "are not here" not in told.stdout
    assert "are not here" in qqdiag("report", elsewhere.core, "--sysroot", tmp_path).stdout
    refused = qqdiag("inspect", os.getpid(), "--sysroot", elsewhere.root)
    assert (refused.returncode, "--sysroot is for a core file" in refused.stderr) == (2, True)


def qqdiag(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qqdiag", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


# --- captures of cores, and the heap ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", interpreters.WANTED)
def test_a_capture_of_it(
    died: Callable[[str], Died], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what the core says, and has the pages that this needs and no others."""
    dead = died(name)
    recording = run.record_core(Core(dead.core, dead.sysroot))
    path = tmp_path / "hang.qqd"
    capture.write(path, recording)
    read: set[int] = set()
    monkeypatch.setattr(Stored, "_page", noted(read))
    back = capture.open(path)
    assert back == recording.snapshot
    assert page(back, diagnose(back), "json") == page(recording.snapshot, diagnose(recording.snapshot), "json")
    assert read == set(recording.memories[0].pages)
    assert path.stat().st_size < LARGEST
    assert back.deep is None
    assert isinstance(capture.open(path, deep=True).deep, Missing)


def noted(read: set[int]) -> Callable[[Stored, int], bytes]:
    original = Stored._page

    def reading(self: Stored, address: int) -> bytes:
        read.add(address)
        return original(self, address)

    return reading


@pytest.mark.parametrize("name", interpreters.WANTED)
def test_its_heap(died: Callable[[str], Died], name: str, tmp_path: Path) -> None:
    """Walked in the core, and in a capture with all memory: of the process while it lived, and of the core."""
    dead = died(name)
    assert dead.heap.complete
    assert dead.heap.unreachable
    expected = timeless(dead.heap)
    recording = run.record_core(Core(dead.core, dead.sysroot), full=True)
    assert timeless(recording.snapshot.deep) == expected
    assert timeless(dead.whole.heap) == expected
    alive = recording._replace(whole=Memory(dead.whole.pages, dead.whole.regions))
    path = tmp_path / "hang.qqd"
    for kept in (alive, recording) if name in ("3.9", "3.15") else (alive,):
        capture.write(path, kept._replace(snapshot=replace(kept.snapshot, deep=None)))
        assert timeless(capture.open(path, deep=True).deep) == expected
        assert capture.open(path).deep is None


def timeless(found: Deep | Missing | None) -> Deep:
    assert isinstance(found, Deep), said(found.reason) if found else None
    return replace(found, seconds=0.0, pause=0.0)


@pytest.mark.parametrize(("form", "suffix"), [("zstd", "zst"), ("lz4", "lz4")])
def test_the_commands(died: Callable[[str], Died], tmp_path: Path, form: str, suffix: str) -> None:
    """As systemd-coredump names and packs it."""
    if shutil.which(form) is None:
        pytest.skip(f"install {form}: apt-get install {form}")
    dead = died("3.12")
    packed = tmp_path / f"core.python3.0.{'0' * 32}.{dead.patient.pid}.1700000000000000.{suffix}"
    with packed.open("wb") as file:
        subprocess.run([form, "-q", "-1", "-c", str(dead.core)], stdout=file, check=True)
    told = qqdiag("inspect", packed, "--deep")
    assert told.returncode in (1, 3), told.stderr
    assert "waits for a future that nothing else holds" in told.stdout
    file = tmp_path / "hang.qqd"
    written = qqdiag("capture", packed, "--full", "-o", file)
    assert written.returncode == 0, written.stderr
    assert " MB were written" in written.stderr
    again = qqdiag("inspect", file, "--deep")
    assert again.returncode == told.returncode
    assert "waits for a future that nothing else holds" in again.stdout
    refused = qqdiag("capture", file, "-o", tmp_path / "other.qqd")
    assert (refused.returncode, "not a file" in refused.stderr) == (2, True)


def test_the_origin_of_a_capture_is_one_that_is_known(died: Callable[[str], Died], tmp_path: Path) -> None:
    dead = died("3.12")
    recording = run.record_core(Core(dead.core))
    capture.write(
        tmp_path / "a.qqd", recording._replace(snapshot=replace(recording.snapshot, origin=Word("elsewhere")))
    )
    opened: Snapshot = capture.open(tmp_path / "a.qqd")
    assert opened.origin.reveal() == "capture"
