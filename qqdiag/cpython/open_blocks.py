"""The value stack of a frame that runs, as far as its open blocks need it.

A frame that runs keeps the height of its stack in a register: what the frame itself says of it is stale. But each open
`async with`, `with` and `try` says how much of the stack lies below it, and that much is certainly there: up to 3.10
the frame's own list of blocks (`f_blockstack`, Include/cpython/frameobject.h), since 3.11 the code's exception table,
by the place (Objects/exception_handling_notes.txt). What lies above, such as the generator of an `async for`, is not
known.
"""

from __future__ import annotations

import struct

from qqdiag.cpython import containers
from qqdiag.cpython.frames import MAX_STACK, RawFrame
from qqdiag.cpython.layout import FrameObject
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable

EXCEPTION_TABLE = 40  # PyCodeObject.co_exceptiontable, 3.11 to 3.15 (Include/cpython/code.h)
BLOCK = struct.Struct("<3i")  # PyTryBlock: b_type, b_handler, b_level
MAX_BLOCKS = 20  # CO_MAXBLOCKS
FIRST, MORE, BITS = 0x80, 0x40, 6  # of a byte of the exception table: begins an entry, goes on, bits of the number
MAX_NUMBER = 1 << 30
MAX_TABLE = 1 << 16  # bytes


def stack(runtime: Runtime, frame: RawFrame) -> list[int]:
    """The objects below the innermost open block, bottom first; none where no block is open."""
    layout = runtime.layout
    if layout.frame_object is not None:
        start, depth = _by_blocks(runtime, frame, layout.frame_object)
    else:
        start = frame.address + layout.frame_localsplus + 8 * frame.code.localsplus
        depth = depth_at(_table(runtime, frame), frame.offset // 2)
    if not 0 <= depth <= MAX_STACK:
        raise Unreadable(frame.address)
    return [held for word in containers.words(runtime.memory, start, depth) if (held := layout.referent(word))]


def _by_blocks(runtime: Runtime, frame: RawFrame, layout: FrameObject) -> tuple[int, int]:
    """(address of the value stack, how many values lie below the innermost block) of a frame object, whose list of
    blocks ends where its locals begin."""
    objects = runtime.objects
    blocks = frame.address + layout.localsplus - MAX_BLOCKS * BLOCK.size
    count = objects.read_int(blocks - 8)
    start = objects.read_word(frame.address + layout.value_stack)
    if not 0 <= count <= MAX_BLOCKS:
        raise Unreadable(frame.address)
    if not count:
        return start, 0
    return start, int(BLOCK.unpack(objects.read(blocks + BLOCK.size * (count - 1), BLOCK.size))[2])


def _table(runtime: Runtime, frame: RawFrame) -> bytes:
    """The exception table of a frame's code, a bytes object."""
    objects, layout = runtime.objects, runtime.layout
    table = objects.read_word(frame.code.address + EXCEPTION_TABLE)
    objects.expect(table, "builtins.bytes")
    size = containers.size(runtime.memory, layout, table)
    return objects.read(table + layout.bytes_data, min(size, MAX_TABLE))


def depth_at(table: bytes, unit: int) -> int:
    """How many values a code's exception table keeps at a code unit: of the entry that the place lies in, 0 where it
    lies in none. Entries are sorted and do not overlap."""
    position = 0
    while position < len(table):
        start, position = _number(table, position)
        size, position = _number(table, position)
        _, position = _number(table, position)
        depth, position = _number(table, position)
        if start <= unit < start + size:
            return depth >> 1  # the low bit: whether the handler gets the place too
        if start > unit:
            break
    return 0


def _number(table: bytes, position: int) -> tuple[int, int]:
    """A number of the table and the position behind it; a table that breaks off ends there."""
    value, more = 0, True
    while more and position < len(table) and value < MAX_NUMBER:
        byte = table[position]
        value = value << BITS | byte & MORE - 1
        more, position = bool(byte & MORE), position + 1
    return value, position
