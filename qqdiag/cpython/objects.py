"""Objects of the target by address: types, texts, numbers, containers, attributes. Bounded, cycle-safe, cached.

One `Objects` serves one walk over one state of the memory: what it has read it does not read again.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Collection, Mapping

from qqdiag.cpython import attributes, containers, numbers, strings, typeinfo
from qqdiag.cpython.known import Known, type_identity
from qqdiag.cpython.layout import Layout, Record, packed
from qqdiag.cpython.typeinfo import BYTES, DICT, LIST, TEXT, TUPLE, TYPE, TypeInfo
from qqdiag.memory.live import OUTSIDE, PAGE, WITHIN
from qqdiag.memory.source import Kept, MemorySource, Overtaken, Unreadable

word_from = struct.Struct("<Q").unpack_from
WEAK_REFERENCES = frozenset({"weakref.ReferenceType", "builtins.weakref"})  # since 3.10, and before
PEEK = 256  # holds most coroutines with their value stack
SHORT_TUPLES = [struct.Struct(f"<{count}Q") for count in range(5)]
SHORT = 16  # items of a tuple that PEEK surely holds
BLOCK = 4096  # no page is smaller: a read within a block needs one page


class Objects:
    """The object API. Every method may raise Unreadable; those that answer `| None` do so for another type."""

    def __init__(
        self, memory: MemorySource, layout: Layout, known: Known | None = None, names: typeinfo.Names | None = None
    ) -> None:
        """`names`: of types whose own cannot be read (unnamed.py)."""
        self.known = known or Known()
        self.memory = memory
        self.layout = layout
        self.later = memory.later if isinstance(memory, Overtaken) else memory
        self.read = memory.read
        self.keeps = isinstance(memory, Kept)
        self.kept: Mapping[int, bytes] = memory.kept if isinstance(memory, Kept) else {}
        self._type_at = layout.object_type
        self._type_within = PAGE - 8 - layout.object_type  # in a page: the last object whose type is in it too
        self._types: dict[int, TypeInfo] = {}
        self._tuple_within = PAGE - layout.tuple_items - SHORT_TUPLES[-1].size
        self._var_head = packed((layout.object_type, "Q"), (layout.var_size, "Q")).unpack_from
        self._reference = packed((layout.object_type, "Q"), (layout.weakref_object, "Q"))
        self._types_of: dict[int, TypeInfo] = {}  # by object
        self._weak: dict[int, bool] = {}  # whether a type is one of weak references
        self._truths: dict[int, bool | None] = {}
        self._type_names: typeinfo.Names = dict(names or {})
        self._texts: dict[int, str] = {}
        self._none: int | None = None
        self.shapes: dict[int, attributes.Shape] = {}
        self.records: dict[tuple[int, tuple[str, ...]], Record | None] = {}  # of some slots of a type

    @functools.cached_property
    def younger(self) -> Objects:
        """Those of `later`: for the parts of what has not changed since, as they live and stay as long as it does."""
        return self if self.later is self.memory else Objects(self.later, self.layout, self.known, self._type_names)

    # --- words -------------------------------------------------------------------------------------------------------

    def read_word(self, address: int) -> int:
        """The pointer-sized word at `address`, unsigned."""
        page, offset = self.kept.get(address & OUTSIDE), address & WITHIN
        if page is None or offset > PAGE - 8:
            return int.from_bytes(self.read(address, 8), "little")
        word: int = word_from(page, offset)[0]
        return word

    def read_int(self, address: int) -> int:
        """The C int at `address`."""
        return int.from_bytes(self.read(address, 4), "little", signed=True)

    def peek(self, address: int) -> bytes:
        """What lies at `address`, at least 16 and up to PEEK bytes: no more than one aligned block holds."""
        size = BLOCK - address % BLOCK
        return self.read(address, PEEK if size > PEEK else size if size >= 16 else 16)

    def page(self, address: int) -> bytes | None:
        """The page that `address` lies in; None where it cannot be read, or the memory shows no whole pages."""
        page = self.kept.get(address & OUTSIDE)
        if page is None and self.keeps:
            try:
                self.read(address, 1)
            except Unreadable:
                return None
            page = self.kept.get(address & OUTSIDE)
        return page

    # --- types -------------------------------------------------------------------------------------------------------

    def type_of(self, address: int) -> TypeInfo:
        """The type of the object at `address`; Unreadable when there is no object."""
        page, offset = self.kept.get(address & OUTSIDE), address & WITHIN
        if page is not None and offset <= self._type_within:
            pointer: int = word_from(page, offset + self._type_at)[0]
            return self._types.get(pointer) or self.type_at(pointer)
        found = self._types_of.get(address)
        if found is None:
            pointer = int.from_bytes(self.read(address + self.layout.object_type, 8), "little")
            found = self._types_of[address] = self._types.get(pointer) or self.type_at(pointer)
        return found

    def type_at(self, pointer: int) -> TypeInfo:
        """The type object at `pointer`."""
        found = self._types.get(pointer)
        if found is None:
            found = self._types[pointer] = self._type(pointer)
        return found

    def _type(self, pointer: int) -> TypeInfo:
        former = self.known.types.get(pointer)
        if former and former[0] == type_identity(self.later, self.layout, pointer):
            return former[1]
        identity = type_identity(self.memory, self.layout, pointer)
        found = typeinfo.read(self.later, self.layout, self._type_names, pointer)
        if self.later is not self.memory and type_identity(self.later, self.layout, pointer) != identity:
            found = typeinfo.read(self.memory, self.layout, self._type_names, pointer)
        self.known.types[pointer] = identity, found
        return found

    def is_a(self, address: int, dotted: str) -> bool:
        """Whether the object's type is, or derives from, the type of that dotted name."""
        return dotted in self.type_of(address).bases

    # --- plain values ------------------------------------------------------------------------------------------------

    def text(self, address: int) -> str | None:
        """A str, cut at 4,096 characters; None when it is none."""
        found = self._texts.get(address)
        if found is None:
            if not self.type_of(address).flags & TEXT:
                return None
            page, at = self.kept.get(address & OUTSIDE), address & WITHIN
            found = strings.short(self.layout, page, at) if page is not None else None
            if found is None:
                found = strings.text(self.memory, self.layout, address)
            self._texts[address] = found
        return found

    def integer(self, address: int) -> int | None:
        """An int or bool; None when it is none, or is longer than any number that is looked at."""
        return numbers.integer(self, address)

    def number(self, address: int) -> float | None:
        """A float, or an int as a float."""
        return numbers.number(self, address)

    def truth(self, address: int) -> bool | None:
        """True or False; None for everything that is not a bool."""
        if address not in self._truths:
            boolean = self.type_of(address).dotted == "builtins.bool"
            self._truths[address] = bool(self.integer(address)) if boolean else None
        return self._truths[address]

    def is_none(self, address: int) -> bool:
        """Whether it is None, of which a process has one (`_Py_NoneStruct`, Objects/object.c)."""
        if self._none is None and self.type_of(address).dotted == "builtins.NoneType":
            self._none = address
        return address == self._none

    def byte_count(self, address: int) -> int | None:
        """The length in bytes of a bytes, bytearray or memoryview."""
        info = self.type_of(address)
        if info.flags & BYTES or "builtins.bytearray" in info.bases:
            return containers.size(self.memory, self.layout, address)
        if info.dotted == "builtins.memoryview":
            return self.read_word(address + self.layout.memoryview_length)
        return None

    # --- containers --------------------------------------------------------------------------------------------------

    def items(self, address: int, limit: int = containers.MAX_ITEMS) -> list[int]:
        """The items of a list, tuple, set, frozenset or deque, at most `limit`; of anything else none."""
        memory, layout = self.memory, self.layout
        page, at = self.kept.get(address & OUTSIDE), address & WITHIN
        if page is not None and at <= self._tuple_within:
            pointer, count = self._var_head(page, at)
            info = self._types.get(pointer) or self.type_at(pointer)
            if info.flags & TUPLE and count < len(SHORT_TUPLES) and count <= limit:
                return list(SHORT_TUPLES[count].unpack_from(page, at + layout.tuple_items))
        head, at = self.peek(address), layout.object_type
        info = self.type_at(int.from_bytes(head[at : at + 8], "little"))
        if info.flags & TUPLE and len(head) >= PEEK:
            count = min(int.from_bytes(head[layout.var_size : layout.var_size + 8], "little"), limit)
            if count <= SHORT:
                return list(struct.unpack_from(f"<{count}Q", head, layout.tuple_items))
        if info.flags & LIST:
            return list(containers.list_items(memory, layout, address, limit))
        if info.flags & TUPLE:
            return list(containers.tuple_items(memory, layout, address, limit))
        if "builtins.set" in info.bases or "builtins.frozenset" in info.bases:
            return containers.set_items(memory, layout, address, limit)
        if "collections.deque" in info.bases:
            return containers.deque_items(memory, layout, address, limit)
        return []

    def count(self, address: int) -> int | None:
        """len() of a list, tuple, deque, set or dict, without reading its items."""
        info = self.type_of(address)
        if info.flags & (LIST | TUPLE) or "collections.deque" in info.bases:
            return containers.size(self.memory, self.layout, address)
        if info.flags & DICT or "builtins.set" in info.bases or "builtins.frozenset" in info.bases:
            return self.read_word(address + (self.layout.dict_used if info.flags & DICT else 24))
        return None

    def pairs(self, address: int, limit: int = containers.MAX_ITEMS) -> list[tuple[int, int]]:
        """(key, value) of a dict, in insertion order, at most `limit`; of anything else none."""
        if not self.type_of(address).flags & DICT:
            return []
        return containers.dict_pairs(self.memory, self.layout, address, limit)

    def named(self, address: int, limit: int = 10_000) -> dict[str, int]:
        """A dict's values by key, for those keys that are str."""
        names = ((self.text(key), value) for key, value in self.pairs(address, limit))
        return {name: value for name, value in names if name is not None}

    def lookup(self, address: int, name: str, limit: int = 100_000) -> int | None:
        """The value of a str key of a dict, among its first `limit` entries."""
        length = len(name)
        for key, value in self.pairs(address, limit):
            if self._length(key) == length and self.text(key) == name:
                return value
        return None

    def select(self, address: int, names: Collection[str]) -> dict[str, int]:
        """The values of some str keys of a dict: those of `names` that are there."""
        pairs = self.pairs(address, 100_000)
        keys = tuple([key for key, _ in pairs])
        former = self.known.indexes.get(address)
        if former is None or former[0] != keys or not former[1].keys() >= set(names):
            former = self.known.indexes[address] = keys, self._indexes(keys, names)
        found = {name: former[1][name] for name in names}
        return {name: pairs[index][1] for name, index in found.items() if index >= 0}

    def _indexes(self, keys: tuple[int, ...], names: Collection[str]) -> dict[str, int]:
        """Where the names are among the keys; -1 for those that are not."""
        lengths = {len(name) for name in names}
        texts = {self.text(key): index for index, key in enumerate(keys) if self._length(key) in lengths}
        return {name: texts.get(name, -1) for name in names}

    def _length(self, text: int) -> int:
        return self.read_word(text + self.layout.text_length)

    # --- attributes --------------------------------------------------------------------------------------------------

    def attributes(self, address: int) -> dict[str, int]:
        """Instance attributes, those of `__slots__` included; neither class attributes nor properties."""
        return attributes.read(self, address)

    def attribute(self, address: int, name: str) -> int | None:
        """One instance attribute; None when it is not set."""
        return attributes.read_one(self, address, name)

    def class_attribute(self, info: TypeInfo, name: str) -> int | None:
        """What `name` is in the class or the classes it derives from, as written there."""
        for pointer in info.ancestors:
            namespace = self.read_word(pointer + self.layout.type_dict)
            found = self.lookup(namespace, name) if namespace else None
            if found is not None:
                return found
        return None

    def method_self(self, address: int) -> int | None:
        """`__self__` of a bound method, Python's or C's."""
        dotted = self.type_of(address).dotted
        if dotted == "builtins.method":
            return self.read_word(address + self.layout.method_self)
        if dotted in ("builtins.builtin_function_or_method", "builtins.builtin_method"):  # PyCFunction, PyCMethod
            return self.read_word(address + self.layout.builtin_self) or None
        return None

    def referent(self, address: int) -> int | None:
        """What a weakref refers to; None when it is dead or no weakref."""
        page, at = self.page(address), address & WITHIN
        if page is not None and at <= PAGE - self._reference.size:
            pointer, target = self._reference.unpack_from(page, at)
            weak = self._weak.get(pointer)
            if weak is None:
                weak = self._weak[pointer] = not WEAK_REFERENCES.isdisjoint(self.type_at(pointer).bases)
            return None if not weak or not target or self.is_none(target) else target
        head, layout = self.peek(address), self.layout
        info = self.type_at(int.from_bytes(head[layout.object_type : layout.object_type + 8], "little"))
        if WEAK_REFERENCES.isdisjoint(info.bases):
            return None
        word = head[layout.weakref_object : layout.weakref_object + 8]
        target = int.from_bytes(word, "little") if len(word) == 8 else self.read_word(address + layout.weakref_object)
        return None if not target or self.is_none(target) else target

    def is_type(self, address: int) -> bool:
        return bool(self.type_of(address).flags & TYPE)

    def expect(self, address: int, dotted: str) -> None:
        """Unreadable unless the object is of that very type."""
        if self.type_of(address).dotted != dotted:
            raise Unreadable(address)
