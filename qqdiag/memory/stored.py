"""The pages of a capture as a `MemorySource`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qqdiag.memory.source import Region, Unreadable

ADDRESS_MAX = 1 << 64


class Stored:
    """`pages` maps the address of each page to its number in `data`; what is not there is Unreadable.

    Raises ValueError when the table does not fit the data.
    """

    def __init__(self, regions: Sequence[Region], pages: Mapping[int, int], data: bytes, page_size: int) -> None:
        count = len(data) // page_size if page_size > 0 else 0
        if pages and (page_size & (page_size - 1) or not 512 <= page_size <= 1 << 20):
            raise ValueError("no page has this size")
        for address, number in pages.items():
            if not (0 <= number < count and 0 <= address < ADDRESS_MAX and address % page_size == 0):
                raise ValueError("a page outside of the data")
        self._regions = regions
        self._pages = pages
        self._data = data
        self._size = page_size

    def regions(self) -> Sequence[Region]:
        return self._regions

    def read(self, address: int, size: int) -> bytes:
        if not self._pages or not 0 <= size <= len(self._pages) * self._size:
            raise Unreadable(address, size)
        start = address - address % self._size
        parts = [self._page(page) for page in range(start, address + max(size, 1), self._size)]
        return b"".join(parts)[address - start : address - start + size]

    def _page(self, address: int) -> bytes:
        number = self._pages.get(address)
        if number is None:
            raise Unreadable(address, self._size)
        return self._data[number * self._size : (number + 1) * self._size]
