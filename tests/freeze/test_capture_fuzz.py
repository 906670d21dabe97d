"""Captures with other bytes at every layer: in the archive, in its entries, in what they hold, in the memory in them.

Each opens or is refused, soon, in little memory; and no section hides an error of our own.
"""

from __future__ import annotations

import io
import random
import resource
import signal
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec
import pytest
from freeze_patients import LOOP, running

from qqdiag import capture
from qqdiag.errors import BadCapture
from qqdiag.memory.live import PAGE
from qqdiag.model import Missing
from qqdiag.run import record
from qqdiag.snapshot import Snapshot
from qqdiag.target import live

ROUNDS = 40  # of each layer
WITHIN = 10  # seconds of processor time to open one, which takes some hundredths of one
ROOM = 2 << 30  # bytes of address space that opening may take beside what we have
NUMBERS = (0, 1, -1, 255, 2**31, 2**32, 2**53, -(2**63), 2**63 - 1, 2**63, 2**64 - 1)

Entries = dict[str, bytes]
Layer = Callable[[Entries, random.Random], bytes]


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> Entries:
    path = tmp_path_factory.mktemp("capture") / "hang.qqd"
    with running(LOOP, "5") as patient:
        capture.write(path, record(live(patient.pid), 0.1))
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(entries: Entries, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


# --- layers ----------------------------------------------------------------------------------------------------------


def archive_bytes(entries: Entries, chance: random.Random) -> bytes:
    """The headers of the archive, which lie between its entries and at its end."""
    data = bytearray(zipped(entries))
    marks = [at for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06") for at in places(data, mark)]
    for _ in range(chance.choice([1, 2, 6])):
        data[(chance.choice(marks) + chance.randrange(48)) % len(data)] = chance.randrange(256)
    return bytes(data[: chance.choice([len(data), len(data), chance.randrange(len(data))])])


def places(data: bytes | bytearray, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def packed_bytes(entries: Entries, chance: random.Random) -> bytes:
    """What is compressed, with a checksum that does not fit."""
    data = bytearray(zipped({name: content[: 1 << 14] for name, content in entries.items()}, zipfile.ZIP_DEFLATED))
    for _ in range(chance.choice([1, 4, 30])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def entry_bytes(entries: Entries, chance: random.Random) -> bytes:
    """What msgspec decodes: lengths, types and numbers change with single bytes."""
    name = chance.choice([name for name in sorted(entries) if name != "pages.bin"])
    content = bytearray(entries[name])
    for _ in range(chance.choice([1, 1, 3, 20])):
        content[chance.randrange(len(content))] = chance.choice([chance.randrange(256), 0xDB, 0xC6, 0xDD, 0xDF, 0x93])
    return zipped({**entries, name: bytes(content)})


def values(entries: Entries, chance: random.Random) -> bytes:
    """Other numbers and texts in a snapshot that decodes."""
    tree = msgspec.msgpack.decode(entries["snapshot.msgpack"])
    spots = list(leaves(tree))
    for _ in range(chance.choice([1, 5, 50])):
        holder, key = chance.choice(spots)
        old = holder[key]
        holder[key] = chance.choice([*NUMBERS, *([-old] if isinstance(old, float) else [])]) if old != "" else "\0"
    return zipped({**entries, "snapshot.msgpack": msgspec.msgpack.encode(tree)})


def leaves(tree: object) -> Iterator[tuple[list[object] | dict[object, object], object]]:
    """Where each number and each text stands."""
    stack = [tree]
    while stack:
        holder = stack.pop()
        pairs = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
        for key, value in list(pairs):
            if isinstance(value, dict | list):
                stack.append(value)
            elif isinstance(value, int | float):
                yield holder, key


def layout(entries: Entries, chance: random.Random) -> bytes:
    """Pages that lie elsewhere, twice or nowhere, and mappings without end."""
    name = chance.choice(["sample-0.msgpack", "sample-1.msgpack"])
    tree = msgspec.msgpack.decode(entries[name], strict=False)
    pages, regions = tree["pages"], tree["regions"]
    addresses, numbers = list(pages), list(pages.values())
    for _ in range(chance.choice([1, 5, 100])):
        pages[chance.choice(addresses)] = chance.choice(numbers)
        pages.pop(chance.choice(addresses), None)
    region = chance.choice(regions)
    region[chance.choice([0, 1, 4])] = chance.choice(NUMBERS)
    return zipped({**entries, name: msgspec.msgpack.encode(tree)})


def memory(entries: Entries, chance: random.Random) -> bytes:
    """Words of the target's memory that are others, also other pointers of the same memory."""
    data = bytearray(entries["pages.bin"])
    for _ in range(chance.choice([1, 10, 200])):
        at = 8 * chance.randrange(len(data) // 8)
        other = 8 * chance.randrange(len(data) // 8)
        word = chance.choice([data[other : other + 8], bytes(8), chance.randbytes(8), struct.pack("<Q", 2**63)])
        data[at : at + 8] = word
    end = chance.choice([len(data)] * 9 + [PAGE * chance.randrange(len(data) // PAGE)])
    return zipped({**entries, "pages.bin": bytes(data[:end])})


# --- opened ----------------------------------------------------------------------------------------------------------


class TooSlow(BaseException):
    """Of its own, so that nothing catches it."""


@contextmanager
def bounded() -> Iterator[None]:
    """So much processor time and address space, and no more."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    room = resource.getrlimit(resource.RLIMIT_AS)
    former = signal.signal(signal.SIGVTALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, room[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, WITHIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, room)
        signal.signal(signal.SIGVTALRM, former)


def opened(path: Path, data: bytes) -> Snapshot | None:
    path.write_bytes(data)
    with bounded():
        try:
            snapshot = capture.open(path)
        except BadCapture:
            return None
    for sample in snapshot.samples:
        for section in (sample.python, sample.gateway):
            assert not isinstance(section, Missing) or "failed in qqdiag itself" not in section.reason.template
    return snapshot


@pytest.mark.parametrize("layer", [archive_bytes, packed_bytes, entry_bytes, values, layout, memory])
def test_harmed_captures(entries: Entries, tmp_path: Path, layer: Layer) -> None:
    path = tmp_path / "hang.qqd"
    assert opened(path, zipped(entries)) is not None
    answered = 0
    for number in range(ROUNDS):
        seed = f"{layer.__name__}-{number}"
        try:
            answered += opened(path, layer(entries, random.Random(seed))) is not None
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    assert answered < ROUNDS or layer in (memory, layout)
    assert answered > ROUNDS / 20 or layer in (archive_bytes, packed_bytes), answered


@pytest.mark.parametrize("name", ["manifest.json", "snapshot.msgpack", "sample-0.msgpack", "pages.bin"])
def test_bombs(entries: Entries, tmp_path: Path, name: str) -> None:
    """An entry that is a thousand times as long as its part of the file: nothing of it is kept."""
    limit = capture.ENTRY_MAX.get(name, capture.OTHER_ENTRY_MAX)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = bomb(entries, name, limit + 1)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert opened(tmp_path / "bomb.qqd", data) is None
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - max(before, grown)) << 10 < 64 << 20


def bomb(entries: Entries, name: str, size: int) -> bytes:
    """A capture with an entry of zeros, written piece by piece."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other, content in entries.items():
            if other != name:
                archive.writestr(other, content)
        with archive.open(name, "w") as entry:
            for _ in range(0, size, 1 << 20):
                entry.write(bytes(1 << 20))
    return file.getvalue()
