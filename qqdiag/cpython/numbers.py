"""int and float of the target."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from qqdiag.cpython.typeinfo import INT
from qqdiag.memory.live import OUTSIDE, PAGE, WITHIN

if TYPE_CHECKING:
    from qqdiag.cpython.objects import Objects

MAX_DIGITS = 32  # of 30 bits: no number that is looked at is longer, and a float holds it
float_from = struct.Struct("<d").unpack_from


def integer(objects: Objects, address: int) -> int | None:
    """An int or bool; None when it is none, or has more than MAX_DIGITS digits of 30 bits."""
    layout, page, at = objects.layout, objects.kept.get(address & OUTSIDE), address & WITHIN
    record = layout.int_record
    if page is None or at > PAGE - record.size:
        page, at = objects.read(address, record.size), 0
    pointer, tag, digit = record.unpack_from(page, at)
    if not objects.type_at(pointer).flags & INT:
        return None
    if layout.int_tagged:  # since 3.12 (gh-101291): count << 3 | sign
        count, negative, zero = tag >> 3, tag & 3 == 2, tag & 3 == 1
    else:
        count, negative, zero = abs(tag), tag < 0, tag == 0
    if zero:
        return 0
    if not 0 < count <= MAX_DIGITS:
        return None
    value: int = digit if count == 1 else _several(objects, address, count)
    return -value if negative else value


def _several(objects: Objects, address: int, count: int) -> int:
    digits = struct.unpack(f"<{count}I", objects.read(address + objects.layout.int_digits, 4 * count))
    return sum(int(digit) << 30 * place for place, digit in enumerate(digits))


def number(objects: Objects, address: int) -> float | None:
    """A float, or an int as a float."""
    if "builtins.float" in objects.type_of(address).bases:
        page, at = objects.kept.get(address & OUTSIDE), (address & WITHIN) + objects.layout.float_value
        if page is None or at > PAGE - 8:
            page, at = objects.read(address + objects.layout.float_value, 8), 0
        value: float = float_from(page, at)[0]
        return value
    whole = integer(objects, address)
    return None if whole is None else float(whole)
