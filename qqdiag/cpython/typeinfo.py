"""What a type object of the target says of itself (Include/cpython/object.h, PyTypeObject and PyHeapTypeObject)."""

from __future__ import annotations

import dataclasses
import struct

from qqdiag.cpython import containers, strings
from qqdiag.cpython.layout import Layout
from qqdiag.memory.source import MemorySource, Unreadable

HEAP_TYPE = 1 << 9
MANAGED_DICT = 1 << 4
INLINE_VALUES = 1 << 2
INT, LIST, TUPLE, BYTES, TEXT, DICT, EXCEPTION, TYPE = (1 << bit for bit in (24, 25, 26, 27, 28, 29, 30, 31))

FUTURE, TASK = "_asyncio.Future", "_asyncio.Task"
PYTHON_FUTURE, PYTHON_TASK = "asyncio.futures.Future", "asyncio.tasks.Task"
FUTURES, TASKS = frozenset({FUTURE, PYTHON_FUTURE}), frozenset({TASK, PYTHON_TASK})
MAX_BASES = 200
LARGEST = 1 << 20  # tp_basicsize


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class TypeInfo:
    """A type, read once. `bases` are the dotted names along its method resolution order, its own first."""

    address: int
    name: str  # the last part of its qualname
    qualname: str
    module: str
    dotted: str  # module.qualname
    bases: tuple[str, ...]
    ancestors: tuple[int, ...]  # the addresses of `bases`
    base: int  # tp_base: the type whose memory layout it extends
    basicsize: int
    itemsize: int
    flags: int  # tp_flags (Include/object.h)
    dictoffset: int
    cached_keys: int  # ht_cached_keys, 0 when there are none
    is_future: bool  # asyncio's Future or Task, C's or Python's, or a class derived from one
    is_task: bool

    @property
    def heap(self) -> bool:
        return bool(self.flags & HEAP_TYPE)


Names = dict[int, tuple[str, str]]
NAMELESS = ("?", "nameless")  # module and qualname of a type whose name cannot be read
UNNAMED: Names = {0: NAMELESS}  # among the names: where a type's own is missing, that is no fault (unnamed.py)


def read(memory: MemorySource, layout: Layout, names: Names, pointer: int) -> TypeInfo:
    """The type at `pointer`; Unreadable when it is none. `names` caches (module, qualname) by type address."""
    _check_metatype(memory, layout, pointer)
    word = struct.Struct("<q")
    head = memory.read(pointer, layout.type_mro + 8)
    flags = word.unpack_from(head, layout.type_flags)[0]
    basicsize = word.unpack_from(head, layout.type_basicsize)[0]
    if not 0 < basicsize <= LARGEST:
        raise Unreadable(pointer)
    mro = _mro(memory, layout, pointer, word.unpack_from(head, layout.type_mro)[0])
    bases = tuple(".".join(name(memory, layout, names, base)) for base in mro)
    module, qualname = name(memory, layout, names, pointer)
    return TypeInfo(
        address=pointer,
        name=qualname.rpartition(".")[2],
        qualname=qualname,
        module=module,
        dotted=bases[0],
        bases=bases,
        ancestors=mro,
        base=word.unpack_from(head, layout.type_base)[0],
        basicsize=basicsize,
        itemsize=word.unpack_from(head, layout.type_itemsize)[0],
        flags=flags,
        dictoffset=word.unpack_from(head, layout.type_dictoffset)[0],
        cached_keys=containers.words(memory, pointer + layout.heap_cached_keys, 1)[0] if flags & HEAP_TYPE else 0,
        is_future=not FUTURES.isdisjoint(bases),
        is_task=not TASKS.isdisjoint(bases),
    )


def _check_metatype(memory: MemorySource, layout: Layout, pointer: int) -> None:
    """The type of a type derives from `type`: the cheapest proof that `pointer` is a type at all."""
    (metatype,) = containers.words(memory, pointer + layout.object_type, 1)
    (flags,) = containers.words(memory, metatype + layout.type_flags, 1)
    if not flags & TYPE:
        raise Unreadable(pointer)


def _mro(memory: MemorySource, layout: Layout, pointer: int, mro: int) -> tuple[int, ...]:
    if mro:
        found = containers.tuple_items(memory, layout, mro, MAX_BASES)
        if found and found[0] == pointer:
            return found
    chain = [pointer]  # not ready yet, or a metaclass of its own: the layout's bases then
    while len(chain) < MAX_BASES:
        (base,) = containers.words(memory, chain[-1] + layout.type_base, 1)
        if not base or base in chain:
            break
        chain.append(base)
    return tuple(chain)


def name(memory: MemorySource, layout: Layout, names: Names, pointer: int) -> tuple[str, str]:
    """(module, qualname) of the type at `pointer`."""
    found = names.get(pointer)
    if found is None:
        found = names[pointer] = _name(memory, layout, pointer, UNNAMED.items() <= names.items())
    return found


def _name(memory: MemorySource, layout: Layout, pointer: int, unnamed: bool) -> tuple[str, str]:
    (text,) = containers.words(memory, pointer + layout.type_name, 1)
    (flags,) = containers.words(memory, pointer + layout.type_flags, 1)
    try:
        module, _, last = strings.c_string(memory, text).rpartition(".")
    except Unreadable:
        if not unnamed:
            raise
        module, last = "" if flags & HEAP_TYPE else NAMELESS[0], NAMELESS[1]
    if not flags & HEAP_TYPE:
        return module or "builtins", last
    (qualname,) = containers.words(memory, pointer + layout.heap_qualname, 1)
    last = strings.text(memory, layout, qualname)
    return module or _python_module(memory, layout, pointer), last


def _python_module(memory: MemorySource, layout: Layout, pointer: int) -> str:
    """`__module__` of a class written in Python, which its tp_name does not hold."""
    (namespace,) = containers.words(memory, pointer + layout.type_dict, 1)
    if namespace:
        keys, values = containers.words(memory, namespace + layout.dict_keys, 2)
        if not values:
            for key, value in containers.keys_entries(memory, layout, keys, 1000):
                if key and strings.text(memory, layout, key) == "__module__":
                    return strings.text(memory, layout, value)
    return "?"
