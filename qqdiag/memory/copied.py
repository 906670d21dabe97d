"""A copy of some of a target's pages as a `MemorySource`, and the choice of the pages to copy."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from qqdiag.memory.live import PAGE, LiveMemory
from qqdiag.memory.source import Region, Unreadable

Range = tuple[int, int]  # address and size, both multiples of PAGE


class Copied:
    """Reads from the copy; what it lacks comes from the live target, and is `late` unless it cannot change.

    `pages` holds the copy, and all that was read beside it; `late` the addresses of pages that are not of the moment
    of the copy. What could not be copied, as it was unmapped in that moment, is Unreadable.
    """

    def __init__(self, ranges: Sequence[Range], data: bytes, unread: Iterable[int], live: LiveMemory) -> None:
        self.pages: dict[int, bytes] = {}
        self.kept: Mapping[int, bytes] = self.pages
        self.late: set[int] = set()
        self.later = Later(self.pages, live)
        self._live = live
        self._gone: set[int] = set()
        self._fixed = Fixed(live.regions())
        missing = set(unread)
        offset = 0
        for index, (start, size) in enumerate(ranges):
            if index in missing:
                self._gone.update(range(start, start + size, PAGE))
            else:
                for at in range(0, size, PAGE):
                    self.pages[start + at] = data[offset + at : offset + at + PAGE]
            offset += size

    def regions(self) -> Sequence[Region]:
        return self._live.regions()

    def read(self, address: int, size: int) -> bytes:
        start = address & -PAGE
        page = self.pages.get(start)
        offset = address - start
        if page is None or offset + size > PAGE:
            return self._read_across(address, size)
        return page[offset : offset + size]

    def _read_across(self, address: int, size: int) -> bytes:
        if address < 0 or size < 0:
            raise Unreadable(address, size)
        first = address & -PAGE
        pages = [self._page(start) for start in range(first, address + max(size, 1), PAGE)]
        return b"".join(pages)[address - first : address - first + size]

    def _page(self, start: int) -> bytes:
        page = self.pages.get(start)
        if page is not None:
            return page
        if start in self._gone:
            raise Unreadable(start, PAGE)
        if self._fixed.holds(start):
            page = self._live.read(start, PAGE)
        else:
            self.later.renew()
            # Only what is there is late: a walk that tries what may be a pointer meets addresses that are none.
            page = self._live.read(start, PAGE)
            self.late.add(start)
        self.pages[start] = page
        return page


class Later:
    """Reads from the copy as well; what that lacks as it is after the copy, which changes nothing of the copy."""

    def __init__(self, pages: Mapping[int, bytes], live: LiveMemory) -> None:
        self.pages: dict[int, bytes] = {}  # that were read after the copy
        self._copy = pages
        self._live = live
        self._new = False

    def renew(self) -> None:
        """From now on the live target's pages are younger than the copy."""
        if not self._new:
            self._new = True
            self._live.forget()

    def regions(self) -> Sequence[Region]:
        return self._live.regions()

    def read(self, address: int, size: int) -> bytes:
        first = address & -PAGE
        page = self._copy.get(first)
        if page is not None and address + size <= first + PAGE:
            return page[address - first : address - first + size]
        self.renew()
        starts = range(first, address + max(size, 1), PAGE)
        whole = b"".join([self._copy.get(start) or self._page(start) for start in starts])
        return whole[address - first : address - first + size]

    def _page(self, start: int) -> bytes:
        page = self.pages[start] = self._live.read(start, PAGE)
        return page


class Fixed:
    """What does not change while a program runs: files mapped without the right to write. That needs no pause."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = [region for region in regions if is_fixed(region)]
        self._starts = [region.start for region in self._regions]

    def holds(self, address: int) -> bool:
        index = bisect_right(self._starts, address) - 1
        return index >= 0 and address < self._regions[index].end


def is_fixed(region: Region) -> bool:
    """Whether a mapping cannot change."""
    return region.path.startswith("/") and not region.writable


def ranges_of(pages: Iterable[int], regions: Sequence[Region], budget: int) -> list[Range]:
    """The ranges to copy for these pages: with as much neighbourhood (1 MiB at most) as fits into `budget` bytes.

    A neighbourhood never leaves its region. Pages of fixed regions are left out: they are read live.
    """
    changing = [region for region in regions if region.readable and not is_fixed(region)]
    ordered = sorted(pages)
    for around in (256, 64, 16, 8, 4, 2, 1):
        ranges = _merged(ordered, changing, around * PAGE)
        if sum(size for _, size in ranges) <= budget:
            break
    return ranges


def _merged(pages: Sequence[int], regions: Sequence[Region], around: int) -> list[Range]:
    starts = [region.start for region in regions]
    ranges: list[Range] = []
    for page in pages:
        index = bisect_right(starts, page) - 1
        if index < 0 or regions[index].end <= page:
            continue
        block = page - page % around
        start, size = ranges[-1] if ranges else (0, 0)
        low = max(block, regions[index].start, start + size)
        high = min(block + around, regions[index].end)
        if low >= high:
            continue
        if low == start + size:
            ranges[-1] = (start, high - start)
        else:
            ranges.append((low, high - low))
    return ranges
