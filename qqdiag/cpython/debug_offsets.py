"""`_Py_DebugOffsets`: what CPython 3.13 and later say of their own structs, at the start of `_PyRuntime`.

Untrusted: the table comes from the target's memory, so that each field is bounded and aligned before it is used, and a
field that is not plausible makes the whole table unusable (Include/internal/pycore_runtime.h, CPython 3.13).
"""

from __future__ import annotations

import dataclasses
import struct

from qqdiag.cpython.layout import Layout
from qqdiag.errors import NotReadable
from qqdiag.memory.source import MemorySource
from qqdiag.model import Hex, Say, Word

COOKIE = b"xdebugpy"
HEADER = 24  # cookie, version, free_threaded

# In the order of the struct in CPython 3.13: our field's name, or None for what is not read from here.
FIELDS_3_13: tuple[str | None, ...] = (
    *(None, None, "runtime_interpreters"),  # runtime_state: size, finalizing, interpreters_head
    *(None, None, "interpreter_next", "interpreter_threads", None, "interpreter_modules"),  # … gc, imports_modules
    *(None, None, None, None, None, None, None),  # sysdict, builtins, ceval_gil, gil_runtime_state…
    *(None, None, "thread_next", None, "thread_frame", "thread_id", "thread_native_id", None, None),
    *(None, "frame_previous", "frame_code", "frame_instruction", "frame_localsplus", "frame_owner"),
    *(None, "code_filename", "code_name", "code_qualname", "code_linetable", "code_first_line", None),
    *("code_localsplusnames", "code_localspluskinds", "code_adaptive"),
    *(None, "object_type"),
    *(None, "type_name", None, "type_flags"),
    *(None, "tuple_items", "var_size"),
    *(None, "list_items", None),
    *(None, "dict_keys", "dict_values"),
    *(None, "float_value"),
    *(None, "int_tag", "int_digits"),
    *(None, None, "bytes_data"),
    *(None, "text_state", "text_length", "text_ascii"),
)
FIELDS_3_14: tuple[str | None, ...] = (
    *("runtime_size", None, "runtime_interpreters"),
    *("interpreter_size", None, "interpreter_next", "interpreter_threads", None, None, "interpreter_modules"),
    *(None, None, None, None, None, None, None, None, None),  # sysdict … gil_runtime_state… tlbc_generation
    *(None, None, "thread_next", None, "thread_frame", "thread_id", "thread_native_id", None, None),
    *(None, "frame_previous", "frame_code", "frame_instruction", "frame_localsplus", "frame_owner"),
    *("frame_stacktop", None),
    *(None, "code_filename", "code_name", "code_qualname", "code_linetable", "code_first_line", None),
    *("code_localsplusnames", "code_localspluskinds", "code_adaptive", None),
    *(None, "object_type"),
    *(None, "type_name", None, "type_flags"),
    *(None, "tuple_items", "var_size"),
    *(None, "list_items", None),
    *(None, None, "set_table", "set_mask"),
    *(None, "dict_keys", "dict_values"),
    *(None, "float_value"),
    *(None, "int_tag", "int_digits"),
    *(None, None, "bytes_data"),
    *(None, "text_state", "text_length", "text_ascii"),
    *(None, None),  # gc
    *(None, None, "coroutine_frame", "coroutine_state"),
    *("node_next", None),
)
FIELDS_3_15: tuple[str | None, ...] = (
    *("runtime_size", None, "runtime_interpreters"),
    *("interpreter_size", None, "interpreter_next", "interpreter_threads", None, None, "interpreter_modules"),
    *(None, None, None, None, None, None, None, None, None),
    *(None, None, "thread_next", None, "thread_frame", None, None, None, "thread_id", "thread_native_id"),
    *(None, None, None, None, None, None),  # datastack_chunk, status, holds_gil … exc_state
    None,  # err_stackitem
    *(None, "frame_previous", "frame_code", "frame_instruction", "frame_localsplus", "frame_owner"),
    *("frame_stacktop", None),
    *(None, "code_filename", "code_name", "code_qualname", "code_linetable", "code_first_line", None),
    *("code_localsplusnames", "code_localspluskinds", "code_adaptive", None),
    *(None, "object_type"),
    *(None, "type_name", None, "type_flags", "type_basicsize", "type_dictoffset"),
    *(None, "heap_cached_keys"),
    *(None, "tuple_items", "var_size"),
    *(None, "list_items", None),
    *(None, None, "set_table", "set_mask"),
    *(None, "dict_keys", "dict_values"),
    *(None, "float_value"),
    *(None, "int_tag", "int_digits"),
    *(None, None, "bytes_data"),
    *(None, "text_state", "text_length", "text_ascii", "text_compact"),
    *(None, None, None, None, None),  # gc
    *(None, None, "coroutine_frame", "coroutine_state"),
    *("node_next", None),
)
# Minor version: its table, in the order of its struct (Include/internal/pycore_debug_offsets.h).
TABLES = {(3, 13): FIELDS_3_13, (3, 14): FIELDS_3_14, (3, 15): FIELDS_3_15}

# What never moved: a table in which it did is read with the wrong struct, or of objects with another header.
FIXED = (
    *("object_type", "var_size", "type_name", "list_items", "tuple_items"),
    *("float_value", "bytes_data", "int_tag", "int_digits"),
)
# What lies before another field of its struct: they are read in one piece.
FRAME_FIELDS = frozenset({"frame_previous", "frame_code", "frame_instruction", "frame_owner", "frame_stacktop"})
TEXT_FIELDS = frozenset({"text_state", "text_length", "text_ascii"})
TYPE_FIELDS = frozenset({"type_flags", "type_basicsize", "type_dictoffset"})
BYTE_FIELDS = frozenset({"frame_owner", "coroutine_state"})
INT_FIELDS = frozenset({"code_first_line", "text_state"})
LARGEST_STATE = 1 << 19  # PyInterpreterState of 3.13 has 250 kB
LARGEST_OBJECT = 1 << 10


def published(memory: MemorySource, runtime: int, layout: Layout) -> Layout:
    """`layout` with what the target publishes laid over it; NotReadable when that is absent, strange or unsupported."""
    fields = TABLES.get(layout.version)
    if fields is None:
        return layout
    head = memory.read(runtime, HEADER + 8 * len(fields))
    hexversion, free_threaded = struct.unpack_from("<QQ", head, 8)
    if head[:8] != COOKIE or (hexversion >> 24, hexversion >> 16 & 0xFF) != layout.version:
        raise NotReadable(
            Say("The interpreter's own table of offsets at {address} is damaged.", address=Hex(runtime)),
            Say("Take a second look: `qqdiag inspect PID`; if it stays, this build is not one that qqdiag can read."),
        )
    if free_threaded:
        raise NotReadable(
            Say("This is a free-threaded build of CPython, whose objects have another shape."),
            Say(
                "Start the gateway with the default build, `python{major}.{minor}`, not with `python{major}.{minor}t`.",
                major=layout.version[0],
                minor=layout.version[1],
            ),
        )
    values = struct.unpack_from(f"<{len(fields)}Q", head, HEADER)
    numbers = {name: value for name, value in zip(fields, values, strict=True) if name is not None}
    for name, value in numbers.items():
        _check(name, value)
    for name in FIXED:
        _check_equal(name, numbers[name], getattr(layout, name))
    for name in sorted(FRAME_FIELDS & numbers.keys()):
        _check(name, numbers[name], numbers["frame_localsplus"] - (1 if name in BYTE_FIELDS else 8))
    for name in sorted(TYPE_FIELDS & numbers.keys()):
        _check(name, numbers[name], layout.type_mro)
    for name in sorted(TEXT_FIELDS & numbers.keys()):
        _check(name, numbers[name], numbers.get("text_compact", layout.text_compact) - 4)
    found = dataclasses.replace(layout, published=True, **numbers)
    _check_order(found)
    return found


def _check_order(layout: Layout) -> None:
    """The fields of a coroutine follow each other as they are unpacked."""
    try:
        fits = layout.coroutine_head.size > 0
    except struct.error:
        fits = False
    if not fits:
        raise NotReadable(
            Say("The interpreter's own table of offsets has the fields of a coroutine in another order."),
            Say("Start the gateway with an unpatched release build of CPython (no --with-trace-refs)."),
        )


def _check_equal(name: str, found: int, expected: int) -> None:
    if found != expected:
        raise NotReadable(
            Say(
                "This build of CPython has other objects: {field} is at {found} where {expected} was expected.",
                field=Word(name),
                found=found,
                expected=expected,
            ),
            Say("Start the gateway with an unpatched release build of CPython (no --with-trace-refs)."),
        )


def _check(name: str, value: int, limit: int | None = None) -> None:
    """Bound and alignment of one published offset."""
    wide = name.startswith(("runtime_", "interpreter_"))
    limit = limit if limit is not None else LARGEST_STATE if wide else LARGEST_OBJECT
    align = 1 if name in BYTE_FIELDS else 4 if name in INT_FIELDS else 8
    if value > limit or value % align:
        raise NotReadable(
            Say("The interpreter's own table of offsets says {value} for a field where that cannot be.", value=value),
            Say("Take a second look: `qqdiag inspect PID`; if it stays, this build is not one that qqdiag can read."),
        )
