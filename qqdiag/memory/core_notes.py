"""The notes of a core file: which process it was, what ended it, and which files it had mapped (core(5))."""

from __future__ import annotations

import struct
from typing import NamedTuple

from qqdiag.memory import elf_file
from qqdiag.memory.elf_file import Malformed, Program, Reader
from qqdiag.memory.originals import Mapped

NT_PRSTATUS, NT_PRPSINFO, NT_FILE = 1, 3, 0x46494C45  # linux/elf.h


class Told(NamedTuple):
    """What the notes of a core say of its process."""

    pid: int
    command: str  # its first 79 bytes of arguments
    signal: int  # that ended it; 0: none, it was copied while it lived
    thread: int  # native id of the one that got the signal
    threads: int
    mapped: list[Mapped]


def read(read_at: Reader, programs: list[Program]) -> Told:
    """What they say; `read_at` reads the file. Raises Malformed."""
    pid, command, signal, thread, threads = 0, "", 0, 0, 0
    mapped: list[Mapped] = []
    for note in (
        note
        for row in programs
        if row.type == elf_file.PT_NOTE
        for note in elf_file.notes(read_at, row.offset, row.file_size)
    ):
        if note.owner != b"CORE":
            continue
        if note.type == NT_PRSTATUS:
            threads += 1
            if threads == 1:  # the one that got the signal
                # pr_cursig, pr_pid (linux/elfcore.h)
                signal, thread = struct.unpack("<H18xi", read_at(note.offset + 12, 24))
        elif note.type == NT_PRPSINFO and note.size >= 136:
            (pid,) = struct.unpack("<i", read_at(note.offset + 24, 4))  # pr_pid
            command = read_at(note.offset + 56, 80).split(b"\0")[0].decode("utf-8", "backslashreplace")
        elif note.type == NT_FILE:
            mapped = _mapped(read_at(note.offset, note.size))
    return Told(pid, command.strip(), signal, thread, threads, mapped)


def _mapped(data: bytes) -> list[Mapped]:
    """NT_FILE: how many, the unit of the offsets, (start, end, offset) of each, then their paths with a NUL each."""
    if len(data) < 16:
        raise Malformed("no list of files")
    count, unit = struct.unpack_from("<QQ", data)
    if 16 + 24 * count > len(data):
        raise Malformed("a list of files that is cut")
    paths = data[16 + 24 * count :].split(b"\0")
    rows = struct.iter_unpack("<QQQ", data[16 : 16 + 24 * count])
    return [
        Mapped(start, end, offset * unit, path.decode("utf-8", "surrogateescape"))
        for (start, end, offset), path in zip(rows, paths, strict=False)
    ]
