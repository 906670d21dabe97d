"""A copy of some of a target's pages, as a `MemorySource` that knows which pages were asked for and are not in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from qqdiag.memory.live import PAGE, LiveMemory
from qqdiag.memory.source import MemorySource, Region, Unreadable

Range = tuple[int, int]  # address and size, both multiples of PAGE


class Traced:
    """Reads from the live target, and remembers which pages were `touched`."""

    def __init__(self, live: MemorySource) -> None:
        self.live = live
        self.touched: set[int] = set()

    def regions(self) -> Sequence[Region]:
        return self.live.regions()

    def read(self, address: int, size: int) -> bytes:
        first, last = address // PAGE, (address + size - 1) // PAGE
        if first == last:
            self.touched.add(first)
        else:
            self.touched.update(range(first, last + 1))
        return self.live.read(address, size)

    def pages(self) -> dict[int, bytes]:
        """The touched pages by address, as the walk saw them."""
        return _pages(self.touched, lambda number: self.live.read(number * PAGE, PAGE))


class Copied:
    """Reads from the copy; what it lacks comes from the live target, and is `late` unless it cannot change.

    `touched` holds the number of every page that was read, `late` those of them that are not of the frozen moment.
    """

    def __init__(
        self,
        ranges: Sequence[Range],
        data: bytes,
        unread: Iterable[int],
        live: LiveMemory,
    ) -> None:
        self.live = live
        self.touched: set[int] = set()
        self.late: set[int] = set()
        self._data = data
        self._offsets: dict[int, int] = {}
        self._gone: set[int] = set()
        self._fixed = [region for region in live.regions() if is_fixed(region)]
        self._starts = [region.start for region in self._fixed]
        missing = set(unread)
        offset = 0
        for index, (start, size) in enumerate(ranges):
            numbers = range(start // PAGE, (start + size) // PAGE)
            if index in missing:
                self._gone.update(numbers)
            else:
                self._offsets.update(zip(numbers, range(offset, offset + size, PAGE), strict=True))
            offset += size

    def regions(self) -> Sequence[Region]:
        return self.live.regions()

    def read(self, address: int, size: int) -> bytes:
        page, within = divmod(address, PAGE)
        offset = self._offsets.get(page)
        if offset is None or within + size > PAGE:
            return self._read_across(address, size)
        self.touched.add(page)
        return self._data[offset + within : offset + within + size]

    def pages(self) -> dict[int, bytes]:
        """The touched pages by address: what a capture must hold to repeat the same reads."""
        return _pages(self.touched, self._page)

    def _read_across(self, address: int, size: int) -> bytes:
        if size <= 0:
            return b""
        first, last = address // PAGE, (address + size - 1) // PAGE
        whole = b"".join(self._page(number) for number in range(first, last + 1))
        self.touched.update(range(first, last + 1))
        return whole[address - first * PAGE :][:size]

    def _page(self, number: int) -> bytes:
        offset = self._offsets.get(number)
        if offset is not None:
            return self._data[offset : offset + PAGE]
        if number in self._gone:
            raise Unreadable(number * PAGE, PAGE)
        if self._is_fixed(number * PAGE):
            return self.live.read(number * PAGE, PAGE)
        if not self.late:
            self.live.forget()  # what it kept is older than the copy
        self.late.add(number)
        return self.live.read(number * PAGE, PAGE)

    def _is_fixed(self, address: int) -> bool:
        index = bisect_right(self._starts, address) - 1
        return index >= 0 and address < self._fixed[index].end


def _pages(numbers: Iterable[int], page: Callable[[int], bytes]) -> dict[int, bytes]:
    pages = {}
    for number in sorted(numbers):
        with suppress(Unreadable):
            pages[number * PAGE] = page(number)
    return pages


def is_fixed(region: Region) -> bool:
    """Whether it does not change while the program runs: a file mapped without the right to write. Needs no pause."""
    return region.path.startswith("/") and not region.writable


def ranges_of(pages: set[int], regions: Sequence[Region], budget: int) -> list[Range]:
    """The ranges to copy for these pages: with as much neighbourhood (16 pages at most) as fits into `budget` bytes.

    A neighbourhood never leaves its region. Pages of fixed regions are left out: they are read live.
    """
    changing = [region for region in regions if region.readable and not is_fixed(region)]
    for around in (16, 8, 4, 2, 1):
        ranges = _merged(pages, changing, around)
        if sum(size for _, size in ranges) <= budget:
            break
    return ranges


def _merged(pages: set[int], regions: Sequence[Region], around: int) -> list[Range]:
    starts = [region.start for region in regions]
    ranges: list[Range] = []
    for number in sorted(pages):
        index = bisect_right(starts, number * PAGE) - 1
        if index < 0 or regions[index].end <= number * PAGE:
            continue
        block = number - number % around
        start, size = ranges[-1] if ranges else (0, 0)
        low = max(block * PAGE, regions[index].start, start + size)
        high = min((block + around) * PAGE, regions[index].end)
        if low >= high:
            continue
        if low == start + size:
            ranges[-1] = (start, high - start)
        else:
            ranges.append((low, high - low))
    return ranges
