"""A capture: one archive with a snapshot and the memory behind it, to repeat the diagnosis elsewhere and later.

A zip file: `manifest.json`, `snapshot.msgpack` (codec.py), `pages.bin` (each different page once) and for each sample
`sample-N.msgpack` (its mappings, and which page lies where), and where all memory was asked for `whole.msgpack`, the
same of that. It holds every secret of the target that was looked at.

A schema says what an older reader could not do without: what is only more, an entry or a field with a default, leaves
it as it is. So an older capture opens, a newer one is refused.

Opened, tasks and gateway are decoded again from the pages, so that a newer qqdiag sees more in an old capture. An
archive may come from anybody: sizes are bounded before anything is unpacked, and damage is a BadCapture.
"""

from __future__ import annotations

import io
import platform
import struct
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path as FilePath

import msgspec
from msgspec.structs import replace

from qqdiag import __version__, codec
from qqdiag.collect import attempt, tasks
from qqdiag.collect import deep as heap
from qqdiag.collect.clocks import by_ours
from qqdiag.collect.thread_ids import as_here
from qqdiag.cpython.known import Known
from qqdiag.errors import BadCapture, QqdiagError
from qqdiag.memory.source import Region
from qqdiag.memory.stored import Stored
from qqdiag.model import Missing, Say, Word
from qqdiag.output import write_private
from qqdiag.profiles import profiles
from qqdiag.recording import Memory, Recording
from qqdiag.snapshot import Deep, Python, Sample, Snapshot

FORMAT = "qqdiag-capture"
CORE = Word("core")
WHOLE = "whole.msgpack"
SCHEMA = 1
ARCHIVE_MAX = 600 << 20  # bytes of the file
ENTRY_MAX = {"pages.bin": 512 << 20}  # bytes unpacked; 100,000 tasks need 150 MB
OTHER_ENTRY_MAX = 128 << 20
ENTRIES_MAX = 16
DIRECTORY_MAX = 1 << 16  # bytes of the archive's table of contents

_END = struct.Struct("<4s4H2LH")  # APPNOTE.TXT 4.3.16, end of central directory record
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    msgspec.MsgspecError,
    struct.error,
    EOFError,
    RuntimeError,  # an encrypted entry; RecursionError and NotImplementedError (its compression) are children
    LookupError,
    ValueError,
    OverflowError,
)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known before the rest is looked at."""

    format: str
    schema: int
    snapshot_schema: int
    qqdiag: str  # the version that wrote it
    machine: str  # x86_64 aarch64
    page_size: int
    samples: int
    wall_time: float  # seconds since 1970
    monotonic: float  # CLOCK_MONOTONIC seconds at the same moment


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pages of one sample lie: page address to its number in pages.bin."""

    regions: list[Region]
    pages: dict[int, int]


def write(path: FilePath, recording: Recording) -> None:
    """Write a capture, mode 0600. UsageError when the file cannot be written."""
    write_private(path, _packed(recording))


def open(path: FilePath, *, deep: bool = False, variables: bool = False) -> Snapshot:
    """The snapshot in a capture, decoded anew from its pages where that is possible. Raises BadCapture.

    `deep`: whether the heap is walked, which needs all memory; else what was found when it was captured is told.
    `variables`: whether the locals are asked for; those that were read when it was captured are there in any case.
    """
    try:
        if path.stat().st_size > ARCHIVE_MAX:
            raise _bad(Say("the capture is larger than any that qqdiag writes"))
        data = path.read_bytes()
    except OSError:
        raise _bad(Say("the capture cannot be read")) from None
    try:
        found = _unpacked(data, deep)
    except _DAMAGE:
        raise _bad(Say("the capture is damaged")) from None
    return _with_locals(found) if variables else found


def _with_locals(snapshot: Snapshot) -> Snapshot:
    """With the locals, or that it was made without them."""
    last = snapshot.samples[-1]
    if isinstance(last.python, Missing) or last.python.locals is not None:
        return snapshot
    missing = Missing(Say("the capture was made without the locals"), Say("qqdiag capture PID --locals -o FILE"))
    last = replace(last, python=replace(last.python, locals=missing))
    return replace(snapshot, samples=[*snapshot.samples[:-1], last])


def _packed(recording: Recording) -> bytes:
    numbers: dict[bytes, int] = {}
    memories = {_sample_name(number): memory for number, memory in enumerate(recording.memories)}
    if recording.whole is not None and not isinstance(recording.whole, Missing):
        memories[WHOLE] = recording.whole
    layouts = {name: _layout(memory, numbers) for name, memory in memories.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        archive.writestr("manifest.json", msgspec.json.encode(_manifest(recording, len(next(iter(numbers), b"")))))
        archive.writestr("snapshot.msgpack", codec.encode(recording.snapshot))
        with archive.open("pages.bin", "w") as entry:
            for page in numbers:
                entry.write(page)
        for name, layout in layouts.items():
            archive.writestr(name, msgspec.msgpack.encode(layout))
    return file.getvalue()


def _sample_name(number: int) -> str:
    return f"sample-{number}.msgpack"


def _layout(memory: Memory, numbers: dict[bytes, int]) -> Layout:
    """Where its pages lie; `numbers` has the number of each different page, and gets those that are new."""
    pages = {address: numbers.setdefault(page, len(numbers)) for address, page in memory.pages.items()}
    return Layout(regions=[_printable(region) for region in memory.regions], pages=pages)


def _printable(region: Region) -> Region:
    """A path that is no UTF-8 with its odd bytes as `\\xNN`, for MessagePack takes no others."""
    path = region.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return region if path == region.path else region._replace(path=path)


def _manifest(recording: Recording, page_size: int) -> Manifest:
    snapshot = recording.snapshot
    return Manifest(
        format=FORMAT,
        schema=SCHEMA,
        snapshot_schema=snapshot.schema,
        qqdiag=__version__,
        machine=recording.machine or platform.machine(),
        page_size=page_size,
        samples=len(snapshot.samples),
        wall_time=time.time(),
        monotonic=time.monotonic(),
    )


def _unpacked(data: bytes, deep: bool) -> Snapshot:
    _check_directory(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = msgspec.json.decode(_entry(archive, "manifest.json"), type=Manifest)
        if manifest.format != FORMAT:
            raise ValueError("another program's archive")
        _check_schema(manifest)
        snapshot = codec.decode(_entry(archive, "snapshot.msgpack"))
        if not 1 <= len(snapshot.samples) <= 2 or manifest.samples != len(snapshot.samples):
            raise ValueError("wrong number of samples")
        pages = _entry(archive, "pages.bin")
        names = [_sample_name(number) for number in range(manifest.samples)]
        names += [WHOLE] if deep and WHOLE in archive.namelist() else []
        layouts = [msgspec.msgpack.decode(_entry(archive, name), type=Layout) for name in names]
    memories = [Stored(layout.regions, layout.pages, pages, manifest.page_size) for layout in layouts]
    samples = [_decoded_again(*pair) for pair in zip(snapshot.samples, memories, strict=False)]
    found = _heap(snapshot.deep, memories[len(samples) :]) if deep else snapshot.deep
    # A core's has what a core has, wherever it is kept.
    origin = CORE if snapshot.origin == CORE else Word("capture")
    return replace(snapshot, origin=origin, samples=samples, deep=found)


def _check_schema(manifest: Manifest) -> None:
    """Raises BadCapture for one that was written by a newer qqdiag."""
    newer = max(manifest.schema - SCHEMA, manifest.snapshot_schema - Snapshot.SCHEMA)
    if newer > 0:
        raise BadCapture(
            Say("a newer qqdiag wrote the capture, with schema {schema}", schema=manifest.schema),
            Say("pip install --upgrade qqdiag"),
        )
    if min(manifest.schema, manifest.snapshot_schema) < 1:
        raise ValueError("no such schema")


def _heap(stored: Deep | Missing | None, whole: Sequence[Stored]) -> Deep | Missing:
    """The heap walked in all memory, with what that has cost the process; as it was found then where there is none."""
    walked = attempt("heap", heap.walk, whole[0]) if whole else None
    if isinstance(walked, Deep):
        return replace(walked, pause=stored.pause if isinstance(stored, Deep) else 0.0)
    if isinstance(stored, Deep):
        return stored
    return walked or stored or Missing(Say("the capture has not all memory"), Say("qqdiag capture PID --full -o FILE"))


def _check_directory(data: bytes) -> None:
    """Look at the archive's own table of contents before it is read: its length is not bounded by the format."""
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - (1 << 16) - _END.size))
    if at < 0:
        raise ValueError("no end of directory")
    _, _, _, here, entries, size, _, _ = _END.unpack_from(data, at)
    if entries != here or entries > ENTRIES_MAX or size > DIRECTORY_MAX:
        raise ValueError("a directory that is too long")


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    limit = ENTRY_MAX.get(name, OTHER_ENTRY_MAX)
    info = archive.getinfo(name)
    if info.file_size > limit or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("an entry that is too long")
    with archive.open(info) as entry:
        data = entry.read(info.file_size + 1)  # zipfile stops at file_size and compares the checksum there
    if len(data) != info.file_size:
        raise ValueError("an entry of another length")
    return data


def _decoded_again(sample: Sample, memory: Stored) -> Sample:
    """The sample with what the present reader finds in its pages; as it was stored where that finds less."""
    stored = sample.python
    # What was read from a running process was compared with a second reading that the pages do not hold.
    if isinstance(stored, Missing) or stored.method.reveal() in ("double-read", "unpaused"):
        return sample
    try:
        python, gateway = tasks.walk(profiles(), Known(variables=stored.locals is not None))(memory)
    except QqdiagError as error:
        return _as_stored(sample, stored, error.message)
    if isinstance(python, Missing):
        return _as_stored(sample, stored, python.reason)
    doubts = [*python.doubts, *(doubt for doubt in stored.doubts if doubt not in python.doubts)]
    again = replace(
        sample,
        python=replace(
            python,
            taken_at=stored.taken_at,
            pause=stored.pause,
            method=stored.method,
            late_pages=stored.late_pages,
            doubts=doubts,
        ),
        gateway=gateway,
    )
    return by_ours(as_here(again))


def _as_stored(sample: Sample, stored: Python, why: Say) -> Sample:
    doubt = Say("as it was decoded when it was captured, for its memory cannot be decoded now: {why}", why=why)
    return replace(sample, python=replace(stored, doubts=[*stored.doubts, doubt]))


def _bad(message: Say) -> BadCapture:
    return BadCapture(message, Say("make another: qqdiag capture PID -o hang.qqd"))
