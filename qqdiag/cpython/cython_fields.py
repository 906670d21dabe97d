"""What the objects of Cython's classes and coroutines hold: C structs without names, found by the types in them.

A coroutine points at its closure, an instance of `__pyx_scope_struct_…`, and that at the arguments, `self` among them
(`__pyx_CoroutineObject.closure`, Cython/Utility/Coroutine.c, 0.29 to 3.1); a `cdef` attribute is a word of the object.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable

MAX_SIZE = 1024  # bytes of one object that are looked at
SCOPE = "__pyx_scope_struct"


def own(runtime: Runtime, coroutine: int, qualname: str) -> int | None:
    """The `self` of a Cython coroutine of that qualname; None where its closure has none of its class."""
    cls = qualname.rpartition(".")[0]
    for _, scope in pointers(runtime, coroutine):
        if runtime.objects.type_of(scope).name.startswith(SCOPE):
            return next((item for _, item in pointers(runtime, scope) if _is(runtime, item, cls)), None)
    return None


def field(runtime: Runtime, address: int, *dotted: str) -> tuple[int, int] | None:
    """(offset, object) of the first field that holds an instance of one of the classes of these dotted names."""
    for offset, item in pointers(runtime, address):
        if any(name in dotted for name in runtime.objects.type_of(item).bases):
            return offset, item
    return None


def _is(runtime: Runtime, address: int, qualname: str) -> bool:
    """Whether it is an instance of a class of that qualname, or of one derived from it."""
    return any(base == qualname or base.endswith(f".{qualname}") for base in runtime.objects.type_of(address).bases)


def pointers(runtime: Runtime, address: int) -> Iterator[tuple[int, int]]:
    """(offset, address) of each word behind an object's head that points at an object."""
    start = runtime.layout.object_type + 8
    size = min(runtime.objects.type_of(address).basicsize, MAX_SIZE) & -8
    body = runtime.objects.read(address + start, size - start) if size > start else b""
    for index, (word,) in enumerate(struct.iter_unpack("<Q", body)):
        try:
            if word and not word % 8:
                runtime.objects.type_of(word)
                yield start + 8 * index, word
        except Unreadable:
            continue  # a number
