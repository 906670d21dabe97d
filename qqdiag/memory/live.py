"""The bytes of a running process, through /proc/PID/mem, behind our own cache of its pages.

A file descriptor of /proc/PID/mem stays bound to the address space it was opened on (fs/proc/base.c, `mem_open`), so a
pid that exits, execs or is reused while we read gives end of file, never another program's bytes. It copies as fast as
process_vm_readv does.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from qqdiag import as_root
from qqdiag.errors import NoSuchTarget, NotPermitted, QqdiagError, TargetGone
from qqdiag.memory.image import is_alive
from qqdiag.memory.source import Region, Unreadable
from qqdiag.model import Say

PAGE = os.sysconf("SC_PAGE_SIZE")
WITHIN = PAGE - 1  # the bits of an address that say where in its page it lies
OUTSIDE = -PAGE  # and those that say which page it is
HIGHEST = 1 << 56  # above every user address of x86-64 and aarch64, five-level page tables included
LARGEST = 1 << 28
SEVERAL = 4  # pages that are better fetched at once
MANY = 1024  # pages, from which on a neighbourhood is fetched as a whole when it is wanted here and there
AROUND = 16 * PAGE  # that neighbourhood: an arena of many tasks is wanted nearly whole
WANTED = 2  # pages of it that were fetched one by one before


class LiveMemory:
    """A `MemorySource` over one process. What was read once is kept: `pages`, by page address, until `forget()`."""

    def __init__(self, pid: int, read_ahead: int = PAGE) -> None:
        """`read_ahead` in bytes, a power of two of at least a page (more makes the walk slower: it is not the system
        calls that cost). Raises NoSuchTarget and NotPermitted."""
        self.pid = pid
        self.pages: dict[int, bytes] = {}
        self.kept: Mapping[int, bytes] = self.pages
        self.reads = 0  # system calls
        self.deadline = math.inf  # time.monotonic() from which on no page is fetched any more: TimeoutError
        self._read_ahead = max(read_ahead, PAGE)
        self._wanted: dict[int, int] = {}  # pages that were fetched one by one, by neighbourhood
        self._regions: Sequence[Region] | None = None
        try:
            self._fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise refusal(pid, error) from error

    def read(self, address: int, size: int) -> bytes:
        start = address & -PAGE
        page = self.pages.get(start)
        offset = address - start
        if page is None or not 0 <= size <= PAGE - offset:
            return self._read_across(address, size)
        return page[offset : offset + size]

    def _read_across(self, address: int, size: int) -> bytes:
        if not 0 <= size <= LARGEST or not PAGE <= address < HIGHEST:
            raise Unreadable(address, size)
        first = address & -PAGE
        starts = range(first, address + max(size, 1), PAGE)
        if len(starts) > SEVERAL and first not in self.pages:
            self._fetch(first, min(len(starts) * PAGE, LARGEST))
        return b"".join([self._page(page, size) for page in starts])[address - first : address - first + size]

    def _page(self, start: int, wanted: int) -> bytes:
        if start not in self.pages:
            size = self._read_ahead if len(self.pages) < MANY else self._around(start)
            self._fetch(start & -size, size)
        if start not in self.pages:  # the neighbourhood begins with a hole
            self._fetch(start, self._read_ahead - start % self._read_ahead)
        try:
            return self.pages[start]
        except KeyError:
            raise Unreadable(start, wanted) from None

    def _around(self, start: int) -> int:
        """How much to fetch for the sake of one page among many, in bytes."""
        place = start & -AROUND
        self._wanted[place] = wanted = self._wanted.get(place, 0) + 1
        return AROUND if wanted > WANTED else self._read_ahead

    def _fetch(self, start: int, size: int) -> None:
        """Keep the pages that can be had from `start` on: only pages really read, for a hole is not zeros."""
        self.reads += 1
        if time.monotonic() > self.deadline:
            raise TimeoutError(errno.ETIMEDOUT, "no time is left")
        try:
            data = os.pread(self._fd, size, start)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EFAULT, errno.EINVAL, errno.EOVERFLOW):
                return
            raise gone(self.pid) from error
        if not data:
            raise gone(self.pid)
        for offset in range(0, len(data) - PAGE + 1, PAGE):
            self.pages.setdefault(start + offset, data[offset : offset + PAGE])

    def regions(self) -> Sequence[Region]:
        """The mappings as of the first call. Raises TargetGone when there is none left."""
        if self._regions is None:
            self._regions = read_regions(self.pid)
        return self._regions

    def check(self) -> None:
        """Raises TargetGone when the process has ended, or runs another program (exec) than when this was opened."""
        if not is_alive(self._fd):
            raise gone(self.pid)

    def forget(self) -> None:
        """Drop what was read: the next reads see the target anew."""
        self.pages.clear()
        self._wanted.clear()
        self._regions = None

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_regions(pid: int) -> list[Region]:
    """/proc/PID/maps (proc(5)): `start-end perms offset dev inode path`."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as maps:
            lines = maps.read().split("\n")
    except OSError as error:
        raise refusal(pid, error) from error
    regions = [_region(line) for line in lines if line]
    if not regions:
        raise gone(pid)
    return regions


def _region(line: str) -> Region:
    fields = line.split(None, 5)
    start, end = fields[0].split("-")
    permissions = fields[1]
    path = fields[5] if len(fields) > 5 else ""
    return Region(int(start, 16), int(end, 16), "r" in permissions, "w" in permissions, int(fields[2], 16), path)


def refusal(pid: int, error: OSError) -> QqdiagError:
    """What an OSError of /proc/PID means to the user."""
    if error.errno in (errno.ENOENT, errno.ESRCH):
        return NoSuchTarget(
            Say("There is no process {pid}.", pid=pid),
            Say("list the processes that have an event loop: qqdiag ps"),
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotPermitted(
            Say("The memory of process {pid} may not be read by this user.", pid=pid),
            as_root.inspect(pid),
        )
    return gone(pid)


def gone(pid: int) -> TargetGone:
    return TargetGone(
        Say("Process {pid} exited, or began another program, while it was read.", pid=pid),
        Say("see whether it was restarted: qqdiag ps"),
    )
