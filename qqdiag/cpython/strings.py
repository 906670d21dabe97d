"""str and C strings of the target: bounded, and never a lone surrogate."""

from __future__ import annotations

import struct

from qqdiag.cpython.layout import Layout
from qqdiag.memory.source import MemorySource, Unreadable

MAX_TEXT = 4096  # characters
MAX_C_STRING = 256
ASCII, ASCII_COMPACT = 0x7C, 0x64  # of the state: kind, compact and ascii; kind 1 with both set
CODECS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}


def text(memory: MemorySource, layout: Layout, address: int) -> str:
    """The str object at `address`, cut at MAX_TEXT characters (Include/cpython/unicodeobject.h).

    A lone surrogate comes out as an escape, so that the result can be encoded. Raises Unreadable when the header is
    not one of a str.
    """
    head = memory.read(address, layout.text_compact + 8)
    (length,) = struct.unpack_from("<q", head, layout.text_length)
    (state,) = struct.unpack_from("<I", head, layout.text_state)
    kind, compact, ascii_only = state >> 2 & 7, state & 32, state & 64
    if kind not in CODECS or length < 0:
        raise Unreadable(address, layout.text_compact)
    if ascii_only and compact:
        start = address + layout.text_ascii
    elif compact:
        start = address + layout.text_compact
    else:
        (start,) = struct.unpack_from("<Q", head, layout.text_compact)
    raw = memory.read(start, min(length, MAX_TEXT) * kind) if length else b""
    if kind == 1:
        return raw.decode("latin-1")
    try:
        return raw.decode(CODECS[kind], "surrogatepass").encode("utf-8", "backslashreplace").decode()
    except UnicodeDecodeError as error:  # a code point above 0x10FFFF: this is no str
        raise Unreadable(start, len(raw)) from error


def short(layout: Layout, page: bytes, at: int) -> str | None:
    """The str object at an offset of a page, where it is compact ASCII and ends in it, as names do; else None."""
    if at > len(page) - layout.text_ascii:
        return None
    length, state = layout.text_record.unpack_from(page, at)
    start = at + layout.text_ascii
    end = start + length
    if state & ASCII != ASCII_COMPACT or length > MAX_TEXT or end > len(page):
        return None
    return page[start:end].decode("latin-1")


def c_string(memory: MemorySource, address: int) -> str:
    """A NUL-terminated UTF-8 string; Unreadable when it has no end within MAX_C_STRING bytes."""
    raw = b""
    while len(raw) < MAX_C_STRING:
        here = address + len(raw)
        raw += memory.read(here, 64 - here % 64)  # never over the end of a page
        end = raw.find(b"\0")
        if end >= 0:
            return raw[:end].decode("utf-8", "backslashreplace")
    raise Unreadable(address, MAX_C_STRING)


def printable(value: str) -> str:
    """`value` with everything that a terminal could act on escaped (UAX #44 general categories C and Z)."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
