"""Every object that the garbage collector knows, by its lists of generations (Include/internal/pycore_gc.h).

Each such object has a PyGC_Head of two words before it: the links of a ring, with flags in their low bits. The heads
of the rings lie in the interpreter's state. How many there are differs (three generations and the permanent one; since
3.14 young, two halves of old, and permanent), so they are found by what they are: words whose neighbours point back.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from qqdiag.cpython.debug_offsets import HEADER, TABLES
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable

GC_STATE = {(3, 9): 616, (3, 10): 616, (3, 11): 648, (3, 12): 112}  # PyInterpreterState.gc; published since 3.13
STATE_SIZE = 384  # bytes of struct _gc_runtime_state in which a ring may begin
RINGS = 4  # in every version from 3.9 to 3.15 (measured)
HEAD_SIZE = 16
LINK = ~3 & (1 << 64) - 1  # without the flags in the two low bits


class Torn(Exception):
    """A ring is broken: the collector is at work, or moves while it is read."""


def objects(runtime: Runtime, limit: int) -> Iterator[tuple[int, int]]:
    """(address, address of the type) of every object that is tracked, at most `limit`.

    Raises Torn and Unreadable where a ring does not close.
    """
    count = 0
    for interpreter in runtime.interpreters:
        for head in rings(runtime, interpreter):
            for found in _ring(runtime, head):
                yield found
                count += 1
                if count >= limit:
                    return


def rings(runtime: Runtime, interpreter: int) -> list[int]:
    """The addresses of the heads; Torn when they are not RINGS."""
    state = interpreter + _state(runtime)
    words = struct.unpack(f"<{STATE_SIZE // 8}Q", runtime.objects.read(state, STATE_SIZE))
    found = []
    for index in range(len(words) - 1):
        head = state + 8 * index
        if _points_back(runtime, words[index] & LINK, 8, head) and _points_back(
            runtime, words[index + 1] & LINK, 0, head
        ):
            found.append(head)
    if len(found) != RINGS:
        raise Torn
    return found


def _state(runtime: Runtime) -> int:
    """The offset of the collector's state in an interpreter's."""
    table = TABLES.get(runtime.layout.version)
    if table is None:
        return GC_STATE[runtime.layout.version]
    field = table.index("interpreter_modules") - 1  # interpreter_state.gc stands before imports_modules
    offset = runtime.objects.read_word(runtime.address + HEADER + 8 * field)
    if not 0 < offset < 1 << 20:
        raise Torn
    return offset


def _points_back(runtime: Runtime, neighbour: int, offset: int, head: int) -> bool:
    if not neighbour or neighbour % 8:
        return False
    try:
        return runtime.objects.read_word(neighbour + offset) & LINK == head
    except Unreadable:
        return False


def _ring(runtime: Runtime, head: int) -> Iterator[tuple[int, int]]:
    """The objects of one ring; a link that leads to something which does not point back ends it."""
    read, size, typed = runtime.memory.read, HEAD_SIZE + runtime.layout.object_type, runtime.layout.object_type
    before, here = head, runtime.objects.read_word(head) & LINK
    links = struct.Struct(f"<2Q{typed}xQ")
    while here != head:
        following, previous, kind = links.unpack(read(here, size + 8))
        if previous & LINK != before:
            raise Torn
        yield here + HEAD_SIZE, kind
        before, here = here, following & LINK
