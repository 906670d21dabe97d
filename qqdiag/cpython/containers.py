"""list, tuple, set, deque and dict of the target: bounded, and read in one piece where they lie in one piece."""

from __future__ import annotations

import struct

from qqdiag.cpython.layout import Layout
from qqdiag.memory.source import MemorySource, Unreadable

MAX_ITEMS = 1_000_000
DEQUE_BLOCK = 64  # BLOCKLEN (Modules/_collectionsmodule.c)
GENERAL_KEYS = 0  # DICT_KEYS_GENERAL (Include/internal/pycore_dict.h): entries hold their hash too
MAX_INDEX_SHIFT = 40
DUMMY = -1  # the hash of a set's deleted entry (Objects/setobject.c)


def words(memory: MemorySource, address: int, count: int) -> tuple[int, ...]:
    """`count` pointers in a row."""
    return struct.unpack(f"<{count}Q", memory.read(address, 8 * count)) if count else ()


def size(memory: MemorySource, layout: Layout, address: int) -> int:
    """ob_size of a var-sized object; Unreadable when it is negative."""
    (count,) = struct.unpack("<q", memory.read(address + layout.var_size, 8))
    if count < 0:
        raise Unreadable(address, 8)
    return int(count)


def tuple_items(memory: MemorySource, layout: Layout, address: int, limit: int = MAX_ITEMS) -> tuple[int, ...]:
    return words(memory, address + layout.tuple_items, min(size(memory, layout, address), limit))


def list_items(memory: MemorySource, layout: Layout, address: int, limit: int = MAX_ITEMS) -> tuple[int, ...]:
    count = size(memory, layout, address)
    if not count:  # an empty list may have no array at all
        return ()
    array, allocated = words(memory, address + layout.list_items, 2)
    if count > allocated:
        raise Unreadable(address, 8)
    return words(memory, array, min(count, limit))


def set_items(memory: MemorySource, layout: Layout, address: int, limit: int = MAX_ITEMS) -> list[int]:
    """The members of a set or frozenset, in the order of its table (Include/cpython/setobject.h)."""
    mask, table = words(memory, address + layout.set_mask, 2)
    if mask + 1 > 16 * MAX_ITEMS or mask & (mask + 1):
        raise Unreadable(address, 16)
    count = min(mask + 1, 16 * limit)
    entries = struct.iter_unpack("<Qq", memory.read(table, 16 * count))
    return [key for key, hashed in entries if key and hashed != DUMMY][:limit]


def deque_items(memory: MemorySource, layout: Layout, address: int, limit: int = MAX_ITEMS) -> list[int]:
    """The items of a collections.deque from the left."""
    count = min(size(memory, layout, address), limit)
    block, _, index = words(memory, address + layout.deque_left, 3)
    items: list[int] = []
    while len(items) < count:
        if not 0 <= index < DEQUE_BLOCK:
            raise Unreadable(address, 8)
        links = words(memory, block, DEQUE_BLOCK + 2)
        items += links[1 + index : 1 + min(DEQUE_BLOCK, index + count - len(items))]
        block, index = links[-1], 0
    return items


def dict_pairs(memory: MemorySource, layout: Layout, address: int, limit: int = MAX_ITEMS) -> list[tuple[int, int]]:
    """(key, value) of a dict in insertion order, of a split one too (Objects/dictobject.c)."""
    keys, values = words(memory, address + layout.dict_keys, 2)
    if not values:
        return [(key, value) for key, value in keys_entries(memory, layout, keys, limit) if value]
    return split_pairs(memory, layout, keys, values + layout.values_header, limit)


def split_pairs(
    memory: MemorySource, layout: Layout, keys: int, values: int, limit: int = MAX_ITEMS
) -> list[tuple[int, int]]:
    """(key, value) of shared keys and the values beside them; slots that are not set are left out."""
    names = [key for key, _ in keys_entries(memory, layout, keys, limit)]
    found = zip(names, words(memory, values, len(names)), strict=True)
    return [(key, value) for key, value in found if key and value]


def keys_entries(memory: MemorySource, layout: Layout, keys: int, limit: int) -> list[tuple[int, int]]:
    """(key, value) of every used entry of a PyDictKeysObject; the value is 0 in shared keys."""
    head = memory.read(keys, layout.keys_header)
    (count,) = struct.unpack_from("<q", head, layout.keys_entries)
    slots, indexes = _table(layout, keys, head)
    if not 0 <= count <= slots * 2 // 3:  # USABLE_FRACTION; freed memory would have us read millions of entries
        raise Unreadable(keys, layout.keys_header)
    count = min(count, limit)
    start = keys + layout.keys_header + indexes
    if layout.keys_size is not None or head[layout.keys_kind] == GENERAL_KEYS:
        return [(k, v) for _, k, v in struct.iter_unpack("<QQQ", memory.read(start, 24 * count)) if k]
    entries = struct.iter_unpack("<QQ", memory.read(start, 16 * count))
    return [(int(key), int(value)) for key, value in entries]


def _table(layout: Layout, keys: int, head: bytes) -> tuple[int, int]:
    """How many slots a PyDictKeysObject has, and the bytes of their indexes between its header and its entries."""
    if layout.keys_size is None:
        shift, of_bytes = head[layout.keys_log2_size], head[layout.keys_log2_index_bytes]
        # As new_keys_object has it (Objects/dictobject.c); the one table without any slot is empty_keys_struct.
        if shift > MAX_INDEX_SHIFT or (shift and of_bytes != shift + (shift > 7) + (shift > 15) + (shift > 31)):
            raise Unreadable(keys, layout.keys_header)
        return 1 << shift, 1 << (of_bytes if shift else 3)
    (size,) = struct.unpack_from("<Q", head, layout.keys_size)
    if size >> MAX_INDEX_SHIFT or size & (size - 1):
        raise Unreadable(keys, layout.keys_header)
    width = 1 if size <= 0xFF else 2 if size <= 0xFFFF else 4 if size <= 0xFFFFFFFF else 8  # DK_IXSIZE, dictobject.c
    return int(size), int(size * width)
