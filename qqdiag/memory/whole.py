"""All memory of a process that only it can write to: what a capture keeps when nothing may be left out.

Of a running process just the pages that are there (/proc/PID/pagemap, Documentation/admin-guide/mm/pagemap.rst): to
read one that was never touched would make the kernel map it. What is mapped shared belongs to others too, or to a
device, and is not read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator

from qqdiag.memory.core import CoreMemory
from qqdiag.memory.live import PAGE, refusal
from qqdiag.memory.source import MemorySource, Unreadable

LIMIT = 256 << 20  # bytes
TAKES = 5  # times as much memory of ours: two readings, the copy, the archive
THERE, GUARD = 3 << 62, 1 << 58  # in a word of pagemap: present or swapped out; nobody may touch it (Linux 6.14)
ENTRIES = 1 << 16  # words of pagemap read at once
CHUNK = 256  # pages

Run = tuple[int, int]  # address, bytes


def of_process(pid: int) -> list[Run]:
    """The runs of pages. Raises NoSuchTarget, NotPermitted and TargetGone."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as maps, open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
            found: list[Run] = []
            for start, end in _own(maps):
                for address in _there(pagemap.fileno(), start, end):
                    _append(found, address, PAGE)
            return found
    except OSError as error:
        raise refusal(pid, error) from error


def of_core(core: CoreMemory) -> list[Run]:
    """What a core has of it; of too much, only as much as shows that."""
    found: list[Run] = []
    total = 0
    for start, length in core.written():
        found.append((start, length))
        total += length
        if total > LIMIT:
            break
    return found


def room() -> int:
    """Bytes that this machine can give without taking them from others (proc(5), meminfo, MemAvailable)."""
    with open("/proc/meminfo", "rb") as file:
        return next((int(line.split()[1]) << 10 for line in file if line.startswith(b"MemAvailable:")), 0)


def size(runs: Iterable[Run]) -> int:
    """Their bytes."""
    return sum(length for _, length in runs)


def read(memory: MemorySource, runs: Iterable[Run]) -> dict[int, bytes]:
    """The pages of `runs` by address, without those that cannot be had."""
    pages: dict[int, bytes] = {}
    for start, length in runs:
        for first in range(start, start + length, CHUNK * PAGE):
            count = min(CHUNK, (start + length - first) // PAGE)
            pages.update(_chunk(memory, first, count))
    return pages


def _chunk(memory: MemorySource, first: int, count: int) -> dict[int, bytes]:
    """At once, or page by page where one of them is not there: a guard, or the cut end of a core."""
    starts = range(first, first + count * PAGE, PAGE)
    try:
        data = memory.read(first, count * PAGE)
    except Unreadable:
        return {start: page for start in starts if (page := _page(memory, start))}
    return {start: data[start - first : start - first + PAGE] for start in starts}


def _page(memory: MemorySource, start: int) -> bytes:
    """Empty where it cannot be had."""
    try:
        return memory.read(start, PAGE)
    except Unreadable:
        return b""


def _own(maps: Iterable[bytes]) -> Iterator[Run]:
    """(start, end) of the private mappings that can be read and written (proc(5), maps)."""
    for line in maps:
        span, permissions, _ = line.split(None, 2)
        if permissions == b"rw-p" or permissions == b"rwxp":
            start, end = span.split(b"-")
            yield int(start, 16), int(end, 16)


def _there(pagemap: int, start: int, end: int) -> Iterator[int]:
    for first in range(start // PAGE, end // PAGE, ENTRIES):
        wanted = min(ENTRIES, end // PAGE - first)
        words = os.pread(pagemap, 8 * wanted, 8 * first)
        for index, (word,) in enumerate(struct.iter_unpack("<Q", words[: len(words) & -8])):
            if word & THERE and not word & GUARD:
                yield (first + index) * PAGE


def _append(runs: list[Run], address: int, length: int) -> None:
    if runs and sum(runs[-1]) == address:
        runs[-1] = (runs[-1][0], runs[-1][1] + length)
    else:
        runs.append((address, length))
