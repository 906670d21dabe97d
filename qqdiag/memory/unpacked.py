"""A core file as it lies on the disk, unpacked where systemd-coredump packed it (zstd, lz4, in older versions xz).

It is unpacked as a stream into a file that has no name, so that its secrets go when it is closed, with holes where it
holds zeros. What stands behind a damaged place is lost, what stands before it is read.
"""

from __future__ import annotations

import importlib
import lzma
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from qqdiag.errors import NotReadable
from qqdiag.model import Bytes, Say, Word

FORMS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zX": "xz",
}  # RFC 8878, lz4 and xz frame formats
MAX_UNPACKED = 1 << 36  # bytes
CHUNK = 1 << 20


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Opened(NamedTuple):
    """An open core file, and how many bytes it has."""

    file: int
    size: int


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The core at `path`, unpacked. NotReadable where it cannot be opened or unpacked."""
    with ExitStack() as stack:
        try:
            file: IO[bytes] = stack.enter_context(path.open("rb"))
            form = FORMS.get(file.read(4))
            file.seek(0)
            if form is not None:
                file = stack.enter_context(_unpacked(form, file))
            size = os.fstat(file.fileno()).st_size
        except OSError:
            raise NotReadable(
                Say("the core file cannot be read, or there is no room to unpack it"),
                Say("look at it with ls -l, and at the room with: df -h /tmp (TMPDIR names another place)"),
            ) from None
        yield Opened(file.fileno(), size)


@contextmanager
def _unpacked(form: str, packed: IO[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile(prefix="qqdiag-") as file, _stream(form, packed) as stream:
        for chunk in _chunks(stream):
            if file.tell() + len(chunk) > MAX_UNPACKED:
                raise NotReadable(
                    Say("the core has more than {limit} when unpacked", limit=Bytes(MAX_UNPACKED)),
                    Say("unpack it where there is room, and: qqdiag inspect CORE"),
                )
            if chunk.count(0) == len(chunk):
                file.seek(len(chunk), os.SEEK_CUR)
            else:
                file.write(chunk)
        size = file.tell()
        file.flush()
        file.truncate(size)
        yield file


def _chunks(stream: Stream) -> Iterator[bytes]:
    """What can be unpacked; it ends at the first damage, whatever the library calls that."""
    while True:
        try:
            chunk = stream.read(CHUNK)
        except (lzma.LZMAError, EOFError, RuntimeError, ValueError, MemoryError):
            return
        if not chunk:
            return
        yield chunk


@contextmanager
def _stream(form: str, packed: IO[bytes]) -> Iterator[Stream]:
    if form == "xz":
        with lzma.LZMAFile(packed) as file:
            yield file
    elif form == "zstd" and (library := _library("zstandard")) is not None:
        yield Zstd(library.ZstdDecompressor().stream_reader(packed, read_across_frames=True), library.ZstdError)
    elif form == "lz4" and (library := _library("lz4.frame")) is not None:
        yield library.open(packed)
    else:
        with _program(form, packed) as output:
            yield output


class Zstd:
    """The library's reader, whose error is no child of a usual one."""

    def __init__(self, reader: Stream, error: type[Exception]) -> None:
        self._reader = reader
        self._error = error

    def read(self, size: int) -> bytes:
        try:
            return self._reader.read(size)
        except self._error as error:
            raise EOFError from error


def _library(name: str) -> Any:
    """An optional library, None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@contextmanager
def _program(form: str, packed: IO[bytes]) -> Iterator[IO[bytes]]:
    """The output of `zstd -dc` or `lz4 -dc`."""
    os.lseek(packed.fileno(), 0, os.SEEK_SET)  # `packed` has read ahead
    try:
        process = subprocess.Popen(
            [form, "-dc"], stdin=packed.fileno(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise NotReadable(
            Say("the core is packed with {form}, which is not installed here", form=Word(form)),
            Say("pip install 'qqdiag[cores]', or unpack it: {form} -d CORE", form=Word(form)),
        ) from None
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        process.kill()
        process.communicate()
