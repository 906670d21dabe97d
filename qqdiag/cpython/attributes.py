"""Instance attributes: dictionaries, inline and managed values, and slots (Objects/object_layout.md of CPython)."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qqdiag.cpython import containers
from qqdiag.cpython.layout import WORD, record
from qqdiag.cpython.typeinfo import HEAP_TYPE, INLINE_VALUES, MANAGED_DICT, TypeInfo
from qqdiag.memory.live import OUTSIDE, PAGE, WITHIN
from qqdiag.memory.source import Unreadable

if TYPE_CHECKING:
    from qqdiag.cpython.objects import Objects

MAX_ATTRIBUTES = 10_000
OBJECT_MEMBERS = (6, 16)  # T_OBJECT, T_OBJECT_EX (Include/structmember.h)
VALID_BYTE = 3  # _dictvalues.valid (3.13, Include/internal/pycore_dict.h)


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """Where the instances of a type keep their attributes."""

    slots: dict[str, int]  # name -> offset in the object
    keys: dict[str, int]  # name -> index among the values


def read(objects: Objects, address: int) -> dict[str, int]:
    """All instance attributes: name -> address of the value."""
    info = objects.type_of(address)
    shape = _shape(objects, info)
    found = {name: objects.read_word(address + offset) for name, offset in shape.slots.items()}
    dictionary, values = _storage(objects, info, address)
    if dictionary:
        found |= objects.named(dictionary, MAX_ATTRIBUTES)
    elif values and shape.keys:
        words = containers.words(objects.memory, values, max(shape.keys.values()) + 1)
        found |= {name: words[index] for name, index in shape.keys.items()}
    return {name: value for name, value in found.items() if value}


def read_one(objects: Objects, address: int, name: str) -> int | None:
    """One instance attribute, None when it is not set."""
    info = objects.type_of(address)
    shape = objects.shapes.get(info.address) or _shape(objects, info)
    offset = shape.slots.get(name)
    if offset is not None:
        return objects.read_word(address + offset) or None
    dictionary, values = _storage(objects, info, address)
    if dictionary:
        return objects.lookup(dictionary, name, MAX_ATTRIBUTES)
    index = shape.keys.get(name)
    if not values or index is None:
        return None
    return objects.read_word(values + 8 * index) or None


def read_values(objects: Objects, address: int) -> list[int]:
    """The values of all instance attributes without their names: what is not asked for is not read."""
    info = objects.type_of(address)
    found = [objects.read_word(address + offset) for offset in _slots(objects, info).values()]
    dictionary, values = _storage(objects, info, address)
    if dictionary:
        pairs = containers.dict_pairs(objects.memory, objects.layout, dictionary, MAX_ATTRIBUTES)
        found += [value for _, value in pairs]
    elif values and info.cached_keys:
        keys = containers.keys_entries(objects.memory, objects.layout, info.cached_keys, MAX_ATTRIBUTES)
        found += containers.words(objects.memory, values, len(keys))
    return [value for value in found if value]


def slot_words(objects: Objects, address: int, names: tuple[str, ...]) -> Sequence[int]:
    """Some `__slots__` of an instance, read in one piece: addresses, 0 for a slot that is not set or not there."""
    info = objects.type_of(address)
    at_once = objects.records.get((info.address, names))
    page, at = objects.kept.get(address & OUTSIDE), address & WITHIN
    if at_once is not None and page is not None and at <= PAGE - at_once.fields.size:
        return at_once.pick(at_once.fields.unpack_from(page, at))
    slots = _shape(objects, info).slots
    if all(slots.get(name, info.basicsize) + 8 <= info.basicsize for name in names):
        objects.records[info.address, names] = record([(slots[name], WORD) for name in names])
    words = struct.unpack(f"<{info.basicsize // 8}Q", objects.read(address, info.basicsize & -8))
    places = [slots.get(name, info.basicsize) // 8 for name in names]  # a base's slot lies within the base alone
    return [words[place] if place < len(words) else 0 for place in places]


def _storage(objects: Objects, info: TypeInfo, address: int) -> tuple[int, int]:
    """(the instance's dictionary, its values): at most one is not 0."""
    layout = objects.layout
    if not info.flags & MANAGED_DICT:
        return _plain_dictionary(objects, info, address), 0
    word = objects.read_word(address + layout.managed_dict)
    if layout.managed_tagged:
        return (0, word + 1) if word & 1 else (word, 0)
    if word:
        return word, 0
    if layout.managed_values is not None:
        return 0, objects.read_word(address + layout.managed_values)
    if layout.inline_values and info.flags & INLINE_VALUES:
        values = address + info.basicsize
        return 0, values + layout.values_header if objects.read(values + VALID_BYTE, 1) != b"\0" else 0
    return 0, 0


def _plain_dictionary(objects: Objects, info: TypeInfo, address: int) -> int:
    """The word at tp_dictoffset, which counts from the end of a var-sized object where it is negative."""
    offset = info.dictoffset
    if offset < 0:
        count = abs(struct.unpack("<q", objects.read(address + objects.layout.var_size, 8))[0])
        offset += (info.basicsize + count * info.itemsize + 7) & -8
    return objects.read_word(address + offset) if offset > 0 else 0


def _shape(objects: Objects, info: TypeInfo) -> Shape:
    shape = objects.shapes.get(info.address)
    if shape is None:
        keys = _keys(objects, info)
        former = objects.known.shapes.get(info.address)
        if former is None or former[0] != keys:
            former = objects.known.shapes[info.address] = keys, Shape(_slots(objects, info), _named(objects, keys))
        shape = objects.shapes[info.address] = former[1]
    return shape


def _keys(objects: Objects, info: TypeInfo) -> tuple[int, ...]:
    """The names that the type's instances share, as objects."""
    if not info.flags & HEAP_TYPE or not info.cached_keys:
        return ()
    entries = containers.keys_entries(objects.memory, objects.layout, info.cached_keys, MAX_ATTRIBUTES)
    return tuple([key for key, _ in entries])


def _named(objects: Objects, keys: tuple[int, ...]) -> dict[str, int]:
    names = ((objects.text(key) if key else None, index) for index, key in enumerate(keys))
    return {name: index for name, index in names if name is not None}


def _slots(objects: Objects, info: TypeInfo) -> dict[str, int]:
    """`__slots__` of the type and of those it extends; a type that adds no memory to its base has none."""
    slots: dict[str, int] = {}
    visited: set[int] = set()
    current = info
    while current.base and current.address not in visited:
        visited.add(current.address)
        base = objects.type_at(current.base)
        if current.basicsize > base.basicsize:
            slots = _members(objects, current) | slots
        current = base
    return slots


def _members(objects: Objects, info: TypeInfo) -> dict[str, int]:
    """The object-valued member descriptors in the type's own namespace."""
    layout = objects.layout
    namespace = objects.read_word(info.address + layout.type_dict)
    found: dict[str, int] = {}
    for name, value in (objects.named(namespace, MAX_ATTRIBUTES) if namespace else {}).items():
        if objects.type_of(value).dotted != "builtins.member_descriptor":
            continue
        member = objects.read_word(value + layout.member_descriptor)
        kind, offset = objects.read_int(member + 8), objects.read_word(member + 16)
        if kind in OBJECT_MEMBERS:  # what is no pointer may be narrower, and lie at the end
            if offset % 8 or offset + 8 > info.basicsize:
                raise Unreadable(value)
            found[name] = offset
    return found
