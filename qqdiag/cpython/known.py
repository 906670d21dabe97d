"""What one walk over a target leaves to the next walk over the same target: what does not change while it exists.

A walk over a frozen copy needs every page in the copy. Most pages of a first walk hold names, bases, tables of lines:
immutable things that hang on a type, a code object or a module. They are taken over where the thing they hang on is,
in the copy, what it was: the same before and at that moment, so it was the same while its parts were read. Types and
code objects may also be looked at after the copy (`Objects.later`): the same before and after.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from qqdiag.memory.source import MemorySource, Unreadable

if TYPE_CHECKING:
    from qqdiag.cpython.attributes import Shape
    from qqdiag.cpython.codes import CodeInfo
    from qqdiag.cpython.layout import Layout
    from qqdiag.cpython.typeinfo import Names, TypeInfo
    from qqdiag.model import Word
    from qqdiag.snapshot import Code


@dataclasses.dataclass(frozen=True, slots=True)
class Interpreter:
    """Where the interpreter lies and what it is."""

    version: tuple[int, int, int]
    flavour: list[Word]
    layout: Layout
    symbols: dict[str, int]
    names: Names = dataclasses.field(default_factory=dict)  # of types whose own cannot be read


@dataclasses.dataclass(slots=True)
class Known:
    """By address: how to recognise a thing, and what was read of it."""

    interpreter: Interpreter | None = None
    types: dict[int, tuple[bytes, TypeInfo]] = dataclasses.field(default_factory=dict)
    codes: dict[int, tuple[bytes, CodeInfo, Code]] = dataclasses.field(default_factory=dict)
    shapes: dict[int, tuple[tuple[int, ...], Shape]] = dataclasses.field(default_factory=dict)  # by its names' objects
    modules: dict[tuple[int, str], tuple[int, bytes]] = dataclasses.field(default_factory=dict)
    indexes: dict[int, tuple[tuple[int, ...], dict[str, int]]] = dataclasses.field(default_factory=dict)
    variables: bool = False  # whether the walks read the locals of frames too
    pages: set[int] = dataclasses.field(default_factory=set)  # where it makes new objects


def type_identity(memory: MemorySource, layout: Layout, pointer: int) -> bytes:
    """A type object up to tp_mro, but for its reference count, and its flags, which tell of the method cache too."""
    head = memory.read(pointer, layout.type_mro + 8)
    return head[8 : layout.type_flags] + head[layout.type_flags + 8 :]


def code_identity(memory: MemorySource, layout: Layout, address: int) -> bytes:
    """Type, size, first line and the objects that a code object consists of."""
    offsets = (layout.code_names, layout.code_filename, layout.code_name, layout.code_qualname, layout.code_linetable)
    head = memory.read(address, max(offsets) + 8)
    parts = (head[offset : offset + 8] for offset in (layout.object_type, layout.var_size, *offsets))
    return b"".join((head[layout.code_first_line : layout.code_first_line + 4], *parts))


def module_identity(memory: MemorySource, layout: Layout, address: int) -> bytes:
    """Type and namespace of a module."""
    return memory.read(address + layout.object_type, 8) + memory.read(address + layout.module_dict, 8)


def interpreter(memory: MemorySource, known: Known) -> Interpreter | None:
    """The interpreter of the former walk, where its version still stands in its place."""
    found = known.interpreter
    if found is None or "Py_Version" not in found.symbols:
        return None
    try:
        value = int.from_bytes(memory.read(found.symbols["Py_Version"], 4), "little")
    except Unreadable:
        return None
    return found if (value >> 24, value >> 16 & 0xFF, value >> 8 & 0xFF) == found.version else None
