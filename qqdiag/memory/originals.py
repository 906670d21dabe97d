"""The files that a core's process had mapped, for the pages that a core leaves out: those that nobody could write to.

A file stands for the pages of the core only when its build id is the one that the core has of it. Another build, or one
that cannot be told, is not used, and said.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from qqdiag.memory import elf_file
from qqdiag.memory.elf_file import Malformed, Reader

PAGE = 4096
ELF = b"\x7fELF"

Open = Callable[[str], int]  # a path of the core to a file descriptor, or OSError or ValueError


class Mapped(NamedTuple):
    """A mapping of a file, as NT_FILE has it."""

    start: int
    end: int
    offset: int  # in the file, of `start`
    path: str


class Originals:
    """`read` reads the core's own bytes by address, `find` opens a file by the path that the process had it at.

    `lacking`: why a program or library that was needed was not used, by path: `gone`, `other` (another build) or
    `unknown` (the core does not say which build it was)."""

    def __init__(self, mapped: Sequence[Mapped], read: Reader, find: Open | None = None) -> None:
        self.lacking: dict[str, str] = {}
        self._find = find or open_here
        self._mapped = sorted(mapped)
        self._starts = [row.start for row in self._mapped]
        self._read = read
        self._files: dict[str, int | None] = {}

    def at(self, address: int) -> Mapped | None:
        """The mapping that holds `address`."""
        index = bisect_right(self._starts, address) - 1
        row = self._mapped[index] if index >= 0 else None
        return row if row is not None and address < row.end else None

    def page(self, start: int) -> bytes | None:
        """The page at `start` out of the file that was mapped there; None where no file can stand for it."""
        row = self.at(start)
        if row is None:
            return None
        if row.path not in self._files:
            self._files[row.path] = self._opened(row.path)
        file = self._files[row.path]
        if file is None:
            return None
        try:
            data = os.pread(file, PAGE, row.offset + start - row.start)
        except (OSError, OverflowError):
            return None
        return data.ljust(PAGE, b"\0") if data else None  # the last page of a file is filled up with zeros

    def close(self) -> None:
        for file in self._files.values():
            if file is not None:
                os.close(file)
        self._files.clear()

    def _opened(self, path: str) -> int | None:
        """The file, where it is the one that was mapped. The path is the core's word: it may name anything."""
        try:
            file = self._find(path)
        except (OSError, ValueError):
            self.lacking[path] = "gone"
            return None
        why = self._difference(path, file)
        if why is None:
            return file
        if why != "unknown" or _is_elf(file):  # a table of characters or a font: nothing looks for code in it
            self.lacking[path] = why
        os.close(file)
        return None

    def _difference(self, path: str, file: int) -> str | None:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return "other"
        expected = self._expected(path)
        if expected is None:
            return "unknown"
        return None if _build_id(file) == expected else "other"

    def _expected(self, path: str) -> bytes | None:
        """The build id in the core's copy of the file's first page."""
        base = next((row.start for row in self._mapped if row.path == path and row.offset == 0), None)
        if base is None:
            return None
        try:
            programs = elf_file.header(lambda offset, size: self._read(base + offset, size)).programs
            loads = [program.address for program in programs if program.type == elf_file.PT_LOAD]
            bias = base - (min(loads) & -PAGE) if loads else base
            return elf_file.build_id(self._read, programs, by_address=bias)
        except Malformed:
            return None


def open_here(path: str) -> int:
    """The file at the same path of this machine."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)


def _is_elf(file: int) -> bool:
    try:
        return exactly(file, 0, len(ELF)) == ELF
    except Malformed:
        return False


def _build_id(file: int) -> bytes | None:
    def read(offset: int, size: int) -> bytes:
        return exactly(file, offset, size)

    try:
        return elf_file.build_id(read, elf_file.header(read).programs)
    except Malformed:
        return None


def exactly(file: int, offset: int, size: int) -> bytes:
    """Exactly `size` bytes of an open file; Malformed where it is shorter."""
    try:
        data = os.pread(file, size, offset)
    except (OSError, OverflowError) as error:
        raise Malformed("beyond the end") from error
    if len(data) != size:
        raise Malformed("beyond the end")
    return data
