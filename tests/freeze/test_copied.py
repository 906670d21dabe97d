"""Which pages are copied for a walk."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qqdiag.memory.copied import PAGE, Range, is_fixed, ranges_of
from qqdiag.memory.source import Region

BUDGET = 1 << 20


@st.composite
def address_spaces(draw: st.DrawFn) -> tuple[list[Region], set[int]]:
    """Regions in address order, some beside each other, and pages of them and of nowhere."""
    regions, start = [], draw(st.integers(1, 100)) * PAGE
    for _ in range(draw(st.integers(0, 8))):
        start += draw(st.sampled_from([0, 1, 3, 200])) * PAGE
        end = start + draw(st.integers(1, 60)) * PAGE
        readable, writable = draw(st.sampled_from([(True, True), (True, False), (False, False)]))
        regions.append(Region(start, end, readable, writable, 0, draw(st.sampled_from(["", "[heap]", "/lib/x.so"]))))
        start = end
    pages = draw(st.sets(st.integers(0, start // PAGE + 20).map(lambda number: number * PAGE), max_size=80))
    return regions, pages


def pages_of(ranges: list[Range]) -> list[int]:
    return [page for start, size in ranges for page in range(start, start + size, PAGE)]


def region_of(regions: list[Region], page: int) -> Region | None:
    return next((region for region in regions if region.start <= page < region.end), None)


@given(address_spaces(), st.integers(0, 64))
def test_ranges(space: tuple[list[Region], set[int]], budget_pages: int) -> None:
    regions, pages = space
    ranges = ranges_of(pages, regions, budget_pages * PAGE)
    copied = pages_of(ranges)
    assert copied == sorted(set(copied))
    for page in pages:
        region = region_of(regions, page)
        wanted = region is not None and region.readable and not is_fixed(region)
        assert (page in copied) or not wanted
    for page in copied:
        region = region_of(regions, page)
        assert region is not None
        assert region.readable
        assert not is_fixed(region)
        # A neighbour lies in the region of a page that was asked for.
        assert any(region.start <= other < region.end for other in pages)
    if len(copied) > len(pages):
        assert len(copied) <= budget_pages


def test_neighbourhood_shrinks_with_the_budget() -> None:
    heap = [Region(0x100000, 0x900000, True, True, 0, "[heap]")]
    pages = {0x100000 + number * 16 * PAGE for number in range(16)}
    sizes = [sum(size for _, size in ranges_of(pages, heap, budget * PAGE)) // PAGE for budget in (256, 255, 100, 1)]
    assert sizes == [256, 128, 64, 16]
    assert sum(size for _, size in ranges_of({0x300000}, heap, 8 << 20)) == 256 * PAGE
