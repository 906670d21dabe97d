"""Coroutines that Cython made: aiohttp's WebSocket reader is one.

Their struct differs by Cython and Python version, but their type names its fields (`tp_members`): `cr_await` or
`gi_yieldfrom`, `cr_code`. The qualname is the second of three str fields in a row: name, qualname, module name
(`__pyx_CoroutineObject`, Cython/Utility/Coroutine.c, 0.29 to 3.1).
"""

from __future__ import annotations

from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import c_string, printable
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name, Word
from qqdiag.snapshot import Level

MAX_MEMBERS = 64
MEMBER = 40  # sizeof(PyMemberDef)
AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")
CODE = ("cr_code", "gi_code", "ag_code")
CYTHON, WRAPPER = Word("cython"), Word("wrapper")


def is_cython(info: TypeInfo) -> bool:
    """Whether the type is one of Cython's shared types, such as `_cython_3_0_11.coroutine`."""
    return info.module.startswith("_cython_") or info.bases[0].startswith("_cython_")


def step(runtime: Runtime, address: int, info: TypeInfo) -> tuple[Level, int] | None:
    """The level of a Cython object and what it awaits; None when it is none of Cython's."""
    if not is_cython(info):
        return None
    if info.name == "coroutine_wrapper":
        level = Level(kind=WRAPPER, address=address, name=Name(printable(info.qualname)))
        return level, runtime.objects.read_word(address + runtime.layout.wrapped)
    members = _members(runtime, info)
    awaited = next((members[name] for name in AWAITED if name in members), None)
    if awaited is None:
        return None
    return _level(runtime, address, info, members), runtime.objects.read_word(address + awaited)


def _level(runtime: Runtime, address: int, info: TypeInfo, members: dict[str, int]) -> Level:
    """A level without a line: Cython keeps only the first line of the function."""
    field = next((members[name] for name in CODE if name in members), None)
    code = None
    if field is not None:
        pointer = runtime.objects.read_word(address + field)
        if pointer and runtime.objects.type_of(pointer).dotted == "builtins.code":
            code = runtime.codes.at(pointer)
    name = _qualname(runtime, address, info)
    return Level(kind=CYTHON, address=address, name=Name(printable(name)), code=None if code is None else code.index)


def _members(runtime: Runtime, info: TypeInfo) -> dict[str, int]:
    """tp_members of a type: name -> offset."""
    found: dict[str, int] = {}
    table = runtime.objects.read_word(info.address + runtime.layout.type_members)
    for index in range(MAX_MEMBERS if table else 0):
        name, offset = (runtime.objects.read_word(table + MEMBER * index + at) for at in (0, 16))
        if not name:
            break
        if offset + 8 <= info.basicsize:
            found[c_string(runtime.memory, name)] = offset
    return found


def _qualname(runtime: Runtime, address: int, info: TypeInfo) -> str:
    texts = [_text(runtime, address + offset) for offset in range(16, info.basicsize - 7, 8)]
    for first, second, third in zip(texts, texts[1:], texts[2:], strict=False):
        if first is not None and second is not None and third is not None:
            return second
    return info.qualname


def _text(runtime: Runtime, field: int) -> str | None:
    """The str that a field points at, None when it is something else."""
    try:
        pointer = runtime.objects.read_word(field)
        return runtime.objects.text(pointer) if pointer else None
    except Unreadable:
        return None
