"""Where coroutines stand: most of them stand where others of the same code do, and are then known by one look.

Of 100,000 tasks the chains are 700,000 levels. What a level is follows from a few words of its object; only the first
with these words is decoded (chains.py), and this module tells the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from qqdiag.memory.live import OUTSIDE, PAGE, WITHIN
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name, Word
from qqdiag.snapshot import Level

if TYPE_CHECKING:
    from qqdiag.cpython.chains import Chain
    from qqdiag.cpython.runtime import Runtime

word = struct.Struct("<Q").unpack_from
MAX_ALIKE = 10_000
MAX_STEPS = 64  # after so many it is looked whether the chain has come back to itself: one that ends never has
NEXT = 1024  # bytes of the next page that are enough for what begins in one


class Place(NamedTuple):
    """Where a frame stands, the same for every coroutine that stands there."""

    kind: Word
    name: Name
    code: int | None
    line: int | None
    offset: int | None
    suspended: bool
    slot: int  # of what it awaits, from the coroutine's address; 0: it awaits nothing
    end: bool = False  # it is a future or task, no coroutine: the chain ends there


Along = Callable[["Chain", set[int], int, int], int]


def along(runtime: Runtime) -> Along:
    """A function that appends to a chain the levels from an address on, as long as they are known, and returns the
    address of the first that is not; 0 at the end. It stops before what was visited already, and at a limit."""
    objects, layout = runtime.objects, runtime.layout
    if layout.frame_object is not None or not objects.keeps:
        return lambda chain, visited, address, limit: address
    kept, find, kinds, alike = objects.kept, _finder(runtime), runtime.kinds, dict[bytes, Place]()
    begin, size, referent = layout.object_type, layout.coroutine_head.size, layout.referent
    fits, tagged = PAGE - size, layout.references_tagged
    pointers, above = layout.stacktop_is_pointer, 8 * layout.awaited_depth
    same = size - 8 if pointers else size  # how far two coroutines that stand at one place are alike: pointers differ

    def follow(chain: Chain, visited: set[int], address: int, limit: int) -> int:
        append, suspended, begun = chain.levels.append, not chain.executing, len(chain.levels)
        for _ in range(min(limit - len(visited), MAX_STEPS)):
            page, at = kept.get(address & OUTSIDE) or objects.page(address), address & WITHIN
            if page is not None and at > fits:
                following = kept.get((address & OUTSIDE) + PAGE)
                page, at = page[at:] + following[:NEXT] if following else None, 0
            if page is None:
                break
            head = page[at + begin : at + same]
            place = alike.get(head)
            if place is None or (pointers and word(page, at + same)[0] != address + place.slot + above):
                place = kinds.get(word(head)[0]) or find(address, page, at)
                if place is None:
                    break
                if place.code is not None and len(alike) < MAX_ALIKE and (place.slot or not pointers):
                    alike[head] = place
            kind, name, code, line, offset, suspended, slot, end = place
            if not slot:
                awaited = 0
            elif at + slot <= len(page) - 8:
                awaited = word(page, at + slot)[0]
            else:
                try:
                    awaited = objects.read_word(address + slot)
                except Unreadable:
                    break
            append(
                Level(kind=kind, address=address, name=name, code=code, line=line, offset=offset, suspended=suspended)
            )
            if end:
                chain.end = address
            address = referent(awaited) if tagged and code is not None else awaited
            if not address:
                break
        chain.executing = not suspended
        return address and _visit(chain.levels, begun, visited, address)

    return follow


def _visit(levels: list[Level], begun: int, visited: set[int], address: int) -> int:
    """Of a chain that did not end, mark what was followed as visited; where it came back to what was, cut it there."""
    for index in range(begun, len(levels)):
        at = levels[index].address
        if at in visited:
            del levels[index:]
            return at
        visited.add(at)
    return address


def _finder(runtime: Runtime) -> Callable[[int, bytes, int], Place | None]:
    """A function that knows the place of the coroutine at an address, which lies at an offset in some bytes."""
    layout, places, unpack = runtime.layout, runtime.places, runtime.layout.coroutine_head.unpack_from
    if not layout.stacktop_is_pointer:
        return lambda address, data, at: places.get(unpack(data, at))
    base = layout.coroutine_frame + layout.frame_localsplus

    def find(address: int, data: bytes, at: int) -> Place | None:
        *key, top = unpack(data, at)
        return places.get((*key, (top - address - base) // 8))

    return find
