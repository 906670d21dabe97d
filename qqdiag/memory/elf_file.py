"""ELF headers and notes, of a core, of a program file, or of one that lies in a core's memory.

System V gABI 4.1 chapter 4 and 5, elf(5). 64 bits, little-endian, x86-64 and aarch64. Nothing is believed: counts and
sizes are bounded, and what does not fit raises Malformed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

ET_CORE = 4
PT_LOAD, PT_NOTE = 1, 4
PF_W, PF_R = 2, 4
PN_XNUM = 0xFFFF  # more program headers than e_phnum holds: sh_info of the first section header has the number
MACHINES = {62: "x86_64", 183: "aarch64"}
NT_GNU_BUILD_ID = 3
MAX_PROGRAMS = 1 << 18  # vm.max_map_count is 65,530 unless somebody raised it
MAX_NOTES = 1 << 18
MAX_NAME = 64
MAX_DESCRIPTION = 1 << 26
PROGRAM = struct.Struct("<IIQQQQQQ")

Reader = Callable[[int, int], bytes]  # (offset, size) -> exactly so many bytes, or Malformed


class Malformed(Exception):
    """The bytes are not what an ELF file of this sort has."""


class Program(NamedTuple):
    """A program header."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class Note(NamedTuple):
    owner: bytes  # CORE, LINUX, GNU …
    type: int
    offset: int  # of its description
    size: int


class Header(NamedTuple):
    type: int
    machine: int
    programs: list[Program]


def header(read: Reader) -> Header:
    """The file header and the program headers; `read` is asked for offsets in the file."""
    head = read(0, 64)
    if head[:6] != b"\x7fELF\x02\x01":
        raise Malformed("not a little-endian ELF file of 64 bits")
    kind, machine = struct.unpack_from("<HH", head, 16)
    (table, sections), (entry, count) = struct.unpack_from("<QQ", head, 32), struct.unpack_from("<HH", head, 54)
    if count == PN_XNUM:
        (count,) = struct.unpack("<I", read(sections + 44, 4))
    if entry != PROGRAM.size or not 0 < count <= MAX_PROGRAMS:
        raise Malformed("no program headers")
    rows = PROGRAM.iter_unpack(read(table, entry * count))
    return Header(kind, machine, [Program(t, f, offset, at, fs, ms) for t, f, offset, at, _, fs, ms, _ in rows])


def notes(read: Reader, start: int, size: int) -> Iterator[Note]:
    """The notes of one PT_NOTE segment that lies at `start` for `read`; names and descriptions are padded to 4."""
    end = start + size
    for _ in range(MAX_NOTES):
        if start + 12 > end:
            return
        name_size, description_size, kind = struct.unpack("<III", read(start, 12))
        if name_size > MAX_NAME or description_size > MAX_DESCRIPTION:
            raise Malformed("a note that is too long")
        at = start + 12 + (name_size + 3 & -4)
        yield Note(read(start + 12, name_size).rstrip(b"\0"), kind, at, description_size)
        start = at + (description_size + 3 & -4)


def build_id(read: Reader, programs: list[Program], by_address: int | None = None) -> bytes | None:
    """The GNU build id; None where there is none. `by_address` is the bias where `read` reads memory, not a file."""
    for program in programs:
        if program.type != PT_NOTE:
            continue
        start = program.offset if by_address is None else by_address + program.address
        for note in notes(read, start, min(program.file_size, MAX_DESCRIPTION)):
            if note.owner == b"GNU" and note.type == NT_GNU_BUILD_ID:
                return read(note.offset, note.size)
    return None
