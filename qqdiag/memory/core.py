"""A core file as a `MemorySource`: what the kernel or gcore wrote of a process's memory (core(5)).

A core leaves out what its process could not have changed (coredump_filter): those pages come from the original files
(originals.py). A segment that is shorter in the file than in memory ends there: its rest is absent, not zeros.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from qqdiag.errors import NotReadable
from qqdiag.memory import core_notes, elf_file
from qqdiag.memory.elf_file import Malformed, Program
from qqdiag.memory.originals import PAGE, Open, Originals, exactly
from qqdiag.memory.source import Region, Unreadable
from qqdiag.model import Say

LARGEST = 1 << 28  # bytes of one read
KEPT = 1 << 16  # pages
ZEROS = bytes(PAGE)
GUARDED = 16 << 12  # bytes: the least that a thread has for its stack (PTHREAD_STACK_MIN), with its guard


class CoreMemory:
    """Raises NotReadable when the file is no core, or one of another machine. `missing`: bytes that the headers speak
    of and the file does not have, because it was cut. `find` opens the original files (originals.py)."""

    def __init__(self, file: int, size: int, find: Open | None = None) -> None:
        self._file = file
        self._size = size
        try:
            head = elf_file.header(self._at)
            self._check(head)
            self.machine = elf_file.MACHINES[head.machine]  # as uname(2) calls it
            self.told = core_notes.read(self._at, head.programs)
        except Malformed:
            raise _damaged() from None
        loads = sorted((row for row in head.programs if row.type == elf_file.PT_LOAD), key=lambda row: row.address)
        self.missing = sum(max(0, row.offset + row.file_size - max(size, row.offset)) for row in loads)
        self._loads = loads
        self._starts = [row.address for row in loads]
        self.originals = Originals(self.told.mapped, self._dumped, find)
        self.pages: dict[int, bytes] = {}

    def regions(self) -> Sequence[Region]:
        return [self._region(row) for row in self._loads if row.memory_size]

    def _region(self, row: Program) -> Region:
        file = self.originals.at(row.address)
        return Region(
            start=row.address,
            end=row.address + row.memory_size,
            readable=bool(row.flags & elf_file.PF_R),
            writable=bool(row.flags & elf_file.PF_W),
            offset=file.offset + row.address - file.start if file else 0,
            path=file.path if file else "",
        )

    def read(self, address: int, size: int) -> bytes:
        start = address & -PAGE
        page = self.pages.get(start)
        offset = address - start
        if page is not None and 0 <= size <= PAGE - offset:
            return page[offset : offset + size]
        if not 0 <= size <= LARGEST or not 0 <= address < 1 << 64:
            raise Unreadable(address, size)
        pages = [self._page(at) for at in range(start, address + max(size, 1), PAGE)]
        return b"".join(pages)[offset : offset + size]

    def written(self) -> Iterator[tuple[int, int]]:
        """(address, bytes) of what the file has of memory that its process could write to, without the holes that the
        kernel leaves for pages which were never touched (fs/coredump.c, dump_skip)."""
        for row in self._loads:
            at, end = row.offset, min(row.offset + row.file_size, self._size)
            while row.flags & elf_file.PF_W and not row.address % PAGE and at < end:
                try:
                    start = os.lseek(self._file, at, os.SEEK_DATA)
                    hole = os.lseek(self._file, start, os.SEEK_HOLE)
                except OSError:  # nothing but a hole to the end of the file
                    break
                low = start - (start - row.offset) % PAGE
                high = min(end, hole + (row.offset - hole) % PAGE)
                if low < high:
                    yield row.address + low - row.offset, high - low
                at = max(high, start + 1)

    def blank(self) -> int:
        """How many segments that pages of zeros were read from end in zeros: what a writer left out without a word.

        gdb before 18 writes no more of a mapping once a MiB of it cannot be read, and since glibc 2.42 the stacks of
        threads, which the kernel may join to one mapping, have a guard page in them that cannot."""
        empty = {row.address: row for start, page in self.pages.items() if page == ZEROS and (row := self._load(start))}
        return sum(self._ends_in_zeros(row) for row in empty.values() if row.flags & elf_file.PF_W)

    def _ends_in_zeros(self, row: Program) -> bool:
        """A stack begins at its end, with the thread's own variables."""
        end = row.address + row.file_size - PAGE
        return row.file_size >= GUARDED and all(self._own(end - at) == ZEROS for at in range(0, GUARDED // 2, PAGE))

    def close(self) -> None:
        self.originals.close()

    def _page(self, start: int) -> bytes:
        page = self.pages.get(start)
        if page is None:
            page = self._own(start) or self._original(start)
            if page is None:
                raise Unreadable(start, PAGE)
            if len(self.pages) >= KEPT:
                self._forget()
            self.pages[start] = page
        return page

    def _forget(self) -> None:
        """Drop what only the process itself could write to: that is most of it, and the file has it."""
        fixed = {start: page for start, page in self.pages.items() if not self._is_writable(start)}
        self.pages.clear()
        self.pages.update(fixed if len(fixed) < KEPT // 2 else {})

    def _is_writable(self, start: int) -> bool:
        row = self._load(start)
        return row is not None and bool(row.flags & elf_file.PF_W)

    def _load(self, address: int) -> Program | None:
        index = bisect_right(self._starts, address) - 1
        row = self._loads[index] if index >= 0 else None
        return row if row is not None and address < row.address + row.memory_size else None

    def _own(self, start: int) -> bytes | None:
        """The page as the core has it, None where it was left out or cut off."""
        row = self._load(start)
        if row is None or start - row.address + PAGE > row.file_size:
            return None
        try:
            return self._at(row.offset + start - row.address, PAGE)
        except Malformed:
            return None

    def _original(self, start: int) -> bytes | None:
        # gcore has no segment at all for what nobody could write to
        return None if self._is_writable(start) else self.originals.page(start)

    def _dumped(self, address: int, size: int) -> bytes:
        """Bytes that the core has itself; Malformed where it has them not."""
        start = address & -PAGE
        if not 0 <= size <= LARGEST:
            raise Malformed("too long")
        pages = [self._own(at) for at in range(start, address + max(size, 1), PAGE)]
        if None in pages:
            raise Malformed("not in the core")
        return b"".join(page for page in pages if page is not None)[address - start : address - start + size]

    def _at(self, offset: int, size: int) -> bytes:
        return exactly(self._file, offset, size)

    def _check(self, head: elf_file.Header) -> None:
        if head.type != elf_file.ET_CORE:
            raise NotReadable(
                Say("this is a program or a library, not a core file"),
                Say("run it, and then: qqdiag inspect, or give the core file that it left"),
            )
        if head.machine not in elf_file.MACHINES:
            raise NotReadable(
                Say("this core is of another kind of machine (ELF machine {number})", number=head.machine),
                Say("cores of x86-64 and aarch64 are read"),
            )


def _damaged() -> NotReadable:
    return NotReadable(
        Say("this core file is damaged, or was cut before its list of segments ended"),
        Say("look whether there was room for all of it: ls -l; ulimit -c"),
    )
