"""Core files with other bytes in their headers, their notes and their memory, cut ones, and packed ones that lie: each
is answered or refused, soon, in little memory, and never by an error of our own that a section then hides."""

from __future__ import annotations

import lzma
import os
import random
import resource
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cores
import harmed
import interpreters
import lz4.frame
import patients
import pytest
import zstandard
from harmed import EXTREMES, Recorder

from qqdiag.collect import core as core_files
from qqdiag.errors import NotReadable
from qqdiag.memory import elf_file
from qqdiag.memory.core import CoreMemory
from qqdiag.memory.live import PAGE, LiveMemory
from qqdiag.model import Missing
from qqdiag.snapshot import Snapshot

ROUNDS = 150
WITHIN = 10  # seconds of processor time for one look, which takes some hundredths of one
ROOM = 2 << 30  # bytes of address space that a look may take beside what we have
SEEN = 0.5  # share of the harms that are aimed at memory that the walk reads; else at headers and notes
# What made the core, which CPython it is of, and whether the files of the process are there.
CORES = [("gcore", "3.12", True), ("hand", "3.13", True), ("hand", "debian", True), ("gcore", "debian", False)]


class Made:
    """A core on the disk, harmed in place and mended again."""

    def __init__(self, path: Path, sysroot: Path | None) -> None:
        self.path, self.sysroot = path, sysroot
        self.data = path.read_bytes()
        with path.open("rb") as file:
            core = CoreMemory(file.fileno(), len(self.data))
            recorder = Recorder(core)
            harmed.record(recorder)
            core.close()
        loads = [row for row in elf_file.header(self._at).programs if row.type == elf_file.PT_LOAD]
        self.headers = min(row.offset for row in loads if row.file_size)
        self.seen = [place for page in sorted(recorder.pages) if (place := self._place(loads, page)) is not None]

    def _at(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size]

    def _place(self, loads: list[elf_file.Program], page: int) -> int | None:
        """Where in the file a page lies."""
        for row in loads:
            if row.address <= page < row.address + row.file_size:
                return row.offset + page - row.address
        return None

    @contextmanager
    def harmed(self, chance: random.Random) -> Iterator[Path]:
        places = []
        with self.path.open("r+b") as file:
            for _ in range(chance.choice([1, 1, 2, 8, 40])):
                place = self.aim(chance)
                places.append(place)
                file.seek(place)
                file.write(harmful(chance, self.data[place : place + 8]))
            if chance.random() < 0.1:
                file.truncate(chance.choice([chance.randrange(self.headers), chance.randrange(len(self.data))]))
        try:
            yield self.path
        finally:
            self.mend(places)

    def mend(self, places: list[int]) -> None:
        with self.path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.write(self.data[end:])
            file.truncate(len(self.data))
            for place in places:
                file.seek(place)
                file.write(self.data[place : place + 8])

    def aim(self, chance: random.Random) -> int:
        if chance.random() < SEEN:
            return chance.choice(self.seen) + 8 * chance.randrange(PAGE // 8)
        return chance.choice([chance.randrange(64), chance.randrange(self.headers)]) & -2


def harmful(chance: random.Random, word: bytes) -> bytes:
    """Another word: a bit, an extreme, a word of this file's own size of numbers, or only its first half."""
    (value,) = struct.unpack("<Q", word.ljust(8, b"\0"))
    other = chance.choice([value ^ 1 << chance.randrange(64), chance.choice(EXTREMES), chance.getrandbits(64)])
    changed = struct.pack("<Q", other)
    return (changed if chance.random() < 0.7 else changed[:2] + word[2:])[: len(word)]


@contextmanager
def limited(room: int) -> Iterator[None]:
    """So much more address space and no more: what would take all memory ends."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    former = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + room, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, former)


def look(path: Path, sysroot: Path | None = None) -> Snapshot | None:
    """What a core tells; None where it is refused with a sentence."""
    with limited(ROOM), harmed.within(WITHIN):
        try:
            snapshot = core_files.collect(path, sysroot)
        except NotReadable:  # it has a sentence, as its class demands
            return None
    for section in (snapshot.samples[0].python, snapshot.samples[0].gateway):
        assert not isinstance(section, Missing) or "failed in qqdiag itself" not in section.reason.template
    return snapshot


@pytest.fixture(scope="module", params=CORES, ids=lambda core: f"{core[0]}-{core[1]}-{'' if core[2] else 'no-'}files")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    by, name, files = request.param
    interpreter = interpreters.find(name)
    if interpreter is None:
        pytest.skip(interpreters.CURE[name])
    folder = tmp_path_factory.mktemp("core")
    with patients.start(interpreter.path, "few.py") as few:
        if by == "gcore":
            path = cores.by_gcore(few, folder)
        else:
            path = folder / "core"
            with LiveMemory(few.pid) as memory:
                recorded = harmed.record(memory)
                path.write_bytes(cores.by_hand(recorded.pages, recorded.regions))
    return Made(path, None if files else tmp_path_factory.mktemp("empty"))


def test_harmed_cores(made: Made) -> None:
    whole = look(made.path, made.sysroot)
    assert whole is not None
    answered = 0
    for number in range(ROUNDS):
        with made.harmed(random.Random(f"core-{number}")) as path:
            try:
                answered += look(path, made.sysroot) is not None
            except BaseException as error:
                error.add_note(f"round {number} of {made.path.name}")
                raise
    assert answered > ROUNDS / 4
    again = look(made.path, made.sysroot)
    assert again is not None, "the core was not mended"
    assert again.samples == whole.samples


# --- packed ----------------------------------------------------------------------------------------------------------

PACKED = {
    "zstd": zstandard.ZstdCompressor(level=1).compress,
    "lz4": lz4.frame.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A core of nothing but headers and a page."""
    return cores.by_hand({0x10000: bytes(range(256)) * (PAGE // 256)}, [])


@pytest.mark.parametrize("form", PACKED)
def test_harmed_packed(form: str, small: bytes, tmp_path: Path) -> None:
    packed = PACKED[form](small)
    path = tmp_path / "core"
    for number in range(ROUNDS):
        chance = random.Random(f"{form}-{number}")
        data = bytearray(packed[: chance.choice([len(packed), chance.randrange(4, len(packed))])])
        for _ in range(chance.choice([1, 4, 30])):
            data[chance.choice([chance.randrange(4, 20), chance.randrange(4, len(data) + 20)]) % len(data)] = (
                chance.randrange(256)
            )
        path.write_bytes(data)
        assert look(path) is None  # there is no Python in it


# Frames whose headers promise more than there can be: a window of 2 GB, a content of 2**63 bytes.
LIES = {
    "zstd's window": b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x01\x00\x00",
    "zstd's size": b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 63) + b"\x01\x00\x00",
    "zstd's block": b"\x28\xb5\x2f\xfd\x00\x58" + b"\xfb\xff\xff" + b"\x00",
    "lz4's size": b"\x04\x22\x4d\x18\x6c\x70" + struct.pack("<Q", 1 << 63) + b"\x00",
}


@pytest.mark.parametrize("lie", LIES)
def test_packed_that_lies(lie: str, tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(LIES[lie])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert look(path) is None
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < 256 << 20


def test_zeros_without_end(tmp_path: Path, small: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that unpacks to more than there is room for is refused; zeros take no room on the way."""
    monkeypatch.setattr("qqdiag.memory.unpacked.MAX_UNPACKED", 1 << 25)
    path = tmp_path / "core"
    path.write_bytes(zstandard.ZstdCompressor(level=1).compress(small + bytes(1 << 26)))
    assert path.stat().st_size < 1 << 20
    assert look(path) is None
