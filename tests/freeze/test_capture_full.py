"""`qqdiag capture --full`: all that a process can write to, so that the heap can be walked again without it."""

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from freeze_patients import HOT, LOOP, Patient, running
from msgspec.structs import replace

from qqdiag import capture, cli, run
from qqdiag.memory import whole
from qqdiag.memory.live import PAGE
from qqdiag.model import Missing
from qqdiag.recording import Memory, Recording
from qqdiag.snapshot import Deep
from qqdiag.target import live

TRIES = 5  # on a busy machine a hot one may not stop in time, or its collector be at work

# A table of bytes that no task, frame or gateway leads to, and one whose pages nobody has touched.
KEEPING = """
import ctypes, mmap, sys
kept = b"".join(b"%08d;" % number for number in range(20_000))
untouched = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
shared = mmap.mmap(-1, 1 << 20)
shared.write(b"shared with others" * 1000)
start = lambda memory: ctypes.addressof(ctypes.c_char.from_buffer(memory))
print("ready", id(kept) + bytes.__basicsize__ - 1, len(kept), start(untouched), start(shared), flush=True)
sys.stdin.readline()
"""


def taken(patient: Patient, path: Path) -> Recording:
    recording = run.record(live(patient.pid), 0, full=True)
    capture.write(path, recording)
    return recording


@pytest.mark.parametrize("program", [LOOP, HOT], ids=["waiting", "hot"])
def test_the_heap_is_walked_again(program: str, tmp_path: Path) -> None:
    """The process is gone then, and a busy one was paused for the copy: its memory is of one moment."""
    with running(program, "100") as patient:
        for _ in range(TRIES):
            recording = taken(patient, tmp_path / "hang.qqd")
            found = recording.snapshot.deep
            if isinstance(found, Deep) and found.complete:
                break
    assert isinstance(found, Deep)
    assert found.complete
    assert recording.snapshot.pause >= found.pause
    again = capture.open(tmp_path / "hang.qqd", deep=True).deep
    assert isinstance(again, Deep)
    assert replace(again, seconds=0.0) == replace(found, seconds=0.0)
    assert capture.open(tmp_path / "hang.qqd").deep == found


def test_what_is_in_it(tmp_path: Path) -> None:
    """Whatever the process has, whether something leads to it or not; not what it never touched, or shares."""
    with running(KEEPING) as patient:
        address, size, untouched, shared = map(int, patient.words)
        recording = taken(patient, tmp_path / "hang.qqd")
    assert isinstance(recording.whole, Memory)
    pages = recording.whole.pages
    first = address & -PAGE
    data = b"".join(pages[start] for start in range(first, address + size, PAGE))
    expected = b"".join(b"%08d;" % number for number in range(20_000))
    assert data[address - first : address - first + size] == expected
    assert untouched not in pages
    assert shared not in pages
    with zipfile.ZipFile(tmp_path / "hang.qqd") as archive:
        assert archive.getinfo("pages.bin").file_size < 64 << 20


@pytest.mark.parametrize(("name", "number", "why"), [("LIMIT", 1 << 20, "keeps up to"), ("TAKES", 1 << 30, "room")])
def test_there_is_too_much(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    number: int,
    why: str,
) -> None:
    """The rest is written, and that it is not all is said and ends as a failure."""
    monkeypatch.setattr(whole, name, number)
    path = tmp_path / "hang.qqd"
    with running(LOOP, "20") as patient:
        code = cli.run(["capture", str(patient.pid), "--interval", "0", "--full", "-o", str(path)])
    told = capsys.readouterr().err
    assert code == 2
    assert "without all memory" in told
    assert why in told
    assert "gcore" in told
    opened = capture.open(path, deep=True)
    assert not isinstance(opened.samples[0].python, Missing)
    assert isinstance(opened.deep, Missing)


def test_runs_of_pages() -> None:
    """Those that are there, joined; what is between them is not."""
    with running(KEEPING) as patient:
        runs = whole.of_process(patient.pid)
    assert runs == sorted(runs)
    assert all(first[0] + first[1] < second[0] for first, second in pairwise(runs))
    assert all(start % PAGE == size % PAGE == 0 for start, size in runs)
    assert 1 << 20 < whole.size(runs) < 256 << 20
