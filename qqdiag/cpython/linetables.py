"""From an instruction to its line: the three forms that CPython's table of lines has had.

Each function takes the table, the code's first line and the offset of an instruction in bytes, and gives its line, None
where the instruction has none.
"""

from __future__ import annotations

from collections.abc import Callable

NO_LINE, LONG, NO_COLUMNS, ONE_LINE_0, ONE_LINE_2 = 15, 14, 13, 10, 12  # entry kinds of Objects/locations.md
NO_LINE_DELTA = -128  # Objects/lnotab_notes.txt, 3.10


def location(table: bytes, line: int, offset: int) -> int | None:
    """co_linetable since 3.11 (Objects/locations.md, PEP 657): the range that covers `offset`."""
    at = end = 0
    while at < len(table):
        head = table[at]
        kind = head >> 3 & 15
        if kind in (LONG, NO_COLUMNS):
            line += _signed(table, at + 1)
        elif ONE_LINE_0 <= kind <= ONE_LINE_2:
            line += kind - ONE_LINE_0
        end += 2 * ((head & 7) + 1)
        if offset < end:
            return None if kind == NO_LINE else line
        at += 1
        while at < len(table) and table[at] < 128:  # the first byte of an entry has bit 7 set, no other has
            at += 1
    return None


def _signed(table: bytes, at: int) -> int:
    """A variable-length integer, six bits a byte, the lowest first; bit 0 of the value is its sign."""
    value = shift = 0
    while at < len(table) and shift < 60:
        value |= (table[at] & 63) << shift
        if not table[at] & 64:
            break
        at, shift = at + 1, shift + 6
    return -(value >> 1) if value & 1 else value >> 1


def ranges(table: bytes, line: int, offset: int) -> int | None:
    """co_linetable of 3.10 (Objects/lnotab_notes.txt, PEP 626): pairs of a range's length and how far its line is."""
    end = 0
    for at in range(0, len(table) - 1, 2):
        end += table[at]
        delta = _byte(table[at + 1])
        if delta != NO_LINE_DELTA:
            line += delta
        if offset < end:
            return None if delta == NO_LINE_DELTA else line
    return None


def lnotab(table: bytes, line: int, offset: int) -> int | None:
    """co_lnotab of 3.9 (Objects/lnotab_notes.txt): pairs of steps, of the offset and then of the line."""
    start = 0
    for at in range(0, len(table) - 1, 2):
        start += table[at]
        if start > offset:
            break
        line += _byte(table[at + 1])
    return line


def _byte(value: int) -> int:
    """A signed char."""
    return value - 256 if value > 127 else value


FORMATS: dict[str, Callable[[bytes, int, int], int | None]] = {
    "locations": location,
    "ranges": ranges,
    "lnotab": lnotab,
}
