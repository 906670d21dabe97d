"""Every field of CPython that is read, once: its offset in bytes in its struct.

A file `layouts/v3_N.py` gives the numbers of one minor version; where the target publishes its own
(`_Py_DebugOffsets`, CPython 3.13+; `.AsyncioDebug`, 3.14+) those come on top, see debug_offsets.py and
asyncio_offsets.py. A value here is the one of most versions (measured on 3.9 to 3.15; Include/cpython/*.h,
Include/internal/pycore_*.h).
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameObject:
    """PyFrameObject up to 3.10, where every frame is an object (Include/cpython/frameobject.h): offsets in bytes."""

    previous: int = 24  # f_back
    code: int = 32
    value_stack: int = 64  # f_valuestack, a pointer
    stack_top: int | None  # f_stacktop, a pointer (3.9)
    stack_depth: int | None  # f_stackdepth, a C int (3.10)
    generator: int  # f_gen: the coroutine whose frame it is
    last_instruction: int  # f_lasti, a C int
    instruction_unit: int  # bytes that one of f_lasti means
    executing: tuple[int, int]  # a byte, and its value while the frame runs: f_executing (3.9), f_state (3.10)
    localsplus: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """Offsets in bytes. `first.second` in the comments is the struct member's name in CPython."""

    version: tuple[int, int]
    published: bool = False  # whether the target's own _Py_DebugOffsets were laid over these numbers
    calibrated: bool = False  # whether some fields were found in the target's objects (calibration.py)

    # _PyRuntimeState, PyInterpreterState, PyThreadState
    runtime_size: int | None = None  # sizeof(_PyRuntimeState) (3.14+)
    runtime_interpreters: int
    interpreter_next: int
    interpreter_threads: int
    interpreter_modules: int
    thread_next: int = 8
    thread_frame: int  # .frame (up to 3.10), .cframe (3.11, 3.12) or .current_frame (3.13)
    cframe_frame: int | None  # _PyCFrame.current_frame; None where the thread points at its frame itself
    thread_native_id: int | None  # None: only the C library knows it (before 3.11)
    thread_id: int
    thread_dict: int
    thread_running_loop: int | None  # _PyThreadStateImpl.asyncio_running_loop; None: in the thread's dict
    thread_running_task: int | None = None  # .asyncio_running_task (3.14+); None: in a dict of asyncio.tasks
    thread_tasks: int | None = None  # .asyncio_tasks_head (3.14+), a ring of task nodes; None: in a WeakSet
    interpreter_tasks: int | None = None  # .asyncio_tasks_head: the ring of tasks whose thread has ended
    interpreter_size: int | None = None  # sizeof(PyInterpreterState) (3.14+)

    # _PyInterpreterFrame, or up to 3.10 a frame object, and then nothing else of this block is used
    frame_object: FrameObject | None = None
    frame_previous: int = 8
    frame_code: int = 0  # .f_code, .f_executable
    frame_instruction: int = 56  # .prev_instr, .instr_ptr
    frame_stacktop: int = 64  # .stacktop, an index into localsplus
    stacktop_is_pointer: bool = False  # .stackpointer (3.14+): the address of the first free slot
    references_tagged: bool = False  # slots and f_executable are _PyStackRef (3.14+)
    awaited_depth: int = 1  # slots from the top of a suspended value stack down to what is awaited
    frame_localsplus: int = 72
    frame_owner: int = 70
    owner_generator: int = 1
    owner_c_stack: int = 3  # from this owner on (FRAME_OWNED_BY_CSTACK, …_BY_INTERPRETER) it is no Python frame

    # PyGenObject, PyCoroObject, PyAsyncGenObject
    coroutine_frame: int  # the frame itself; up to 3.10 a pointer to it, 0 once it has ended
    coroutine_code: int | None = None  # gi_code, where the frame does not outlive the run
    coroutine_qualname: int
    coroutine_state: int | None  # None: the frame object has it
    states_suspended: tuple[int, ...] = (-1,)
    state_executing: int = 0
    state_yield_from: int | None = None  # the state that says "suspended in an await"; None: the next opcode says it
    resume_opcodes: tuple[int, ...] = ()  # RESUME and its variants, where the opcode says it; YIELD_FROM up to 3.10
    resume_argument: int = 2  # the opcode's argument from which on it is an await
    unknown_opcodes: tuple[int, ...] = ()  # instrumentation that hides the opcode (Python/instrumentation.c)
    wrapped: int = 16  # async_generator_asend/athrow, coroutine_wrapper, FutureIter, anext_awaitable -> the object

    # PyCodeObject
    code_first_line: int
    code_nlocalsplus: int | None
    code_names: int = 32
    code_variables: tuple[int, int, int] | None = None  # up to 3.10: co_varnames, co_cellvars, co_freevars
    code_localsplusnames: int = 96
    code_localspluskinds: int = 104
    code_filename: int = 112
    code_name: int = 120
    code_qualname: int = 128
    code_linetable: int = 136
    code_line_format: str = (
        "locations"  # Objects/locations.md; "ranges" (3.10), "lnotab" (3.9): Objects/lnotab_notes.txt
    )
    code_adaptive: int | None
    code_bytes: int | None = None  # up to 3.10: co_code, a pointer to a bytes object

    # FutureObj, TaskObj (Modules/_asynciomodule.c)
    future_loop: int = 16
    future_callback0: int = 24
    future_callbacks: int = 40
    future_exception: int = 48
    future_result: int = 64
    future_state: int
    future_log_traceback: tuple[int, int]  # offset, mask
    task_must_cancel: tuple[int, int]
    task_cancels: int | None  # task_num_cancels_requested (3.11+)
    task_waiter: int
    task_coroutine: int
    task_name: int
    task_node: int | None = None  # its link in a ring of tasks (3.14+)
    future_awaited_by: int | None = None  # who awaits it: a task or future, or a set of them (3.14+)
    future_awaited_by_is_set: int | None = None  # a byte
    node_next: int = 0  # struct llist_node

    # objects
    object_type: int = 8
    var_size: int = 16
    type_name: int = 24
    type_basicsize: int = 32
    type_itemsize: int = 40
    type_flags: int = 168
    type_members: int = 240
    type_base: int = 256
    type_dict: int = 264
    type_dictoffset: int = 288
    type_mro: int = 344
    heap_qualname: int
    heap_cached_keys: int
    tuple_items: int = 24
    list_items: int = 24
    dict_used: int = 16
    dict_keys: int = 32
    dict_values: int = 40
    keys_size: int | None = None  # dk_size, from which the width of an index follows (up to 3.10)
    keys_log2_size: int = 8
    keys_log2_index_bytes: int = 9
    keys_kind: int = 10
    keys_entries: int = 24
    keys_header: int = 32
    set_mask: int = 32
    set_table: int = 40
    deque_left: int = 24
    deque_left_index: int = 40
    weakref_object: int = 16
    cell_contents: int = 16
    float_value: int = 16
    method_function: int = 16
    method_self: int = 24
    builtin_definition: int = 16
    builtin_self: int = 24
    function_qualname: int = 40
    function_code: int = 48
    function_closure: int = 72
    module_dict: int = 16
    member_descriptor: int = 40
    bytes_data: int = 32
    partial_function: int = 16
    partial_args: int = 24
    memoryview_length: int = 72
    socket_fd: int = 16
    epoll_fd: int = 16

    # str, int
    text_length: int = 16
    text_state: int = 32
    text_ascii: int  # compact ASCII data
    text_compact: int  # compact data of the other kinds; the pointer to it where it is not compact
    int_tag: int = 16  # ob_size (signed) before 3.12, then lv_tag
    int_tagged: bool
    int_digits: int = 24

    # instance attributes: where a managed dict and its values are, from the object's address
    managed_dict: int = -24
    managed_values: int | None = None  # 3.11: a pointer of its own
    managed_tagged: bool = False  # 3.12: one word for both, its low bit set for values
    inline_values: bool = False  # 3.13: values lie behind the object (Objects/object_layout.md)
    values_header: int = 0

    # tp_basicsize by the type's name: what the target must show before it is believed
    fingerprint: dict[str, int]
    fingerprint_asyncio: dict[str, int]

    @functools.cached_property
    def coroutine_head(self) -> struct.Struct:
        """One unpacking of a suspended coroutine: type, qualname, state, code, current instruction, stacktop."""
        frame = self.coroutine_frame
        assert self.coroutine_state is not None
        return packed(
            (self.object_type, "Q"),
            (self.coroutine_qualname, "Q"),
            (self.coroutine_state, "b"),
            (frame + self.frame_code, "Q"),
            (frame + self.frame_instruction, "Q"),
            (frame + self.frame_stacktop, "q" if self.stacktop_is_pointer else "i"),
        )

    @functools.cached_property
    def task_record(self) -> Record | None:
        """One unpacking of a C task: the fields of `TASK_FIELDS`, its type first; None where fields overlap."""
        return record(_offsets(self, TASK_FIELDS))

    @functools.cached_property
    def future_record(self) -> Record | None:
        """The same of a C future."""
        return record(_offsets(self, FUTURE_FIELDS))

    @functools.cached_property
    def text_record(self) -> struct.Struct:
        """One unpacking of a str's length and state."""
        return packed((self.text_length, "Q"), (self.text_state, "I"))

    @functools.cached_property
    def int_record(self) -> struct.Struct:
        """One unpacking of an int: its type, its tag or size, its first digit."""
        return packed((self.object_type, "Q"), (self.int_tag, "q"), (self.int_digits, "I"))

    def stack_depth(self, frame: int, stacktop: int) -> int:
        """The index into localsplus of the first free slot, from what `frame_stacktop` of the frame at `frame` says."""
        return (stacktop - frame - self.frame_localsplus) // 8 if self.stacktop_is_pointer else stacktop

    def referent(self, slot: int) -> int:
        """The object that a slot of a frame holds, 0 where it holds none (Include/internal/pycore_stackref.h).

        Of the two low bits 1 says that the slot owns no reference, 2 and 3 that it is no object.
        """
        if not self.references_tagged:
            return slot
        return 0 if slot & 2 else slot & ~1


class Record(NamedTuple):
    """How to unpack some fields of a struct in one piece, and to put them into the order in which they were asked."""

    fields: struct.Struct
    pick: Callable[[tuple[int, ...]], tuple[int, ...]]


WORD, INT, BYTE = "Q", "I", "B"
FUTURE_FIELDS = (
    *(("object_type", WORD), ("future_state", INT), ("future_loop", WORD), ("future_exception", WORD)),
    *(("future_log_traceback", INT), ("future_callback0", WORD), ("future_callbacks", WORD)),
)
TASK_FIELDS = (
    *FUTURE_FIELDS,
    *(("task_waiter", WORD), ("task_coroutine", WORD), ("task_name", WORD), ("task_must_cancel", INT)),
    *(("task_cancels", INT), ("future_awaited_by", WORD), ("future_awaited_by_is_set", BYTE)),
)


def _offsets(layout: Layout, fields: Sequence[tuple[str, str]]) -> list[tuple[int, str]]:
    """(offset, format) of each field; one that the version lacks is read as the object's type, and means nothing."""
    found = []
    for name, code in fields:
        offset = getattr(layout, name)
        if isinstance(offset, tuple):  # a flag and its mask: of a bit field only the byte, as others lie close by
            offset, code = offset[0], BYTE if offset[1] <= 0xFF else code
        found.append((offset, code) if offset is not None else (layout.object_type, WORD))
    return found


def record(fields: Sequence[tuple[int, str]]) -> Record | None:
    """How to read these (offset, format); None where they overlap, which no real struct's fields do."""
    ordered = sorted(set(fields))
    ends = [offset + struct.calcsize(f"<{code}") for offset, code in ordered]
    if any(end > start for end, (start, _) in zip(ends, ordered[1:], strict=False)):
        return None
    return Record(packed(*ordered), operator.itemgetter(*(ordered.index(field) for field in fields)))


def packed(*fields: tuple[int, str]) -> struct.Struct:
    """A struct of (offset, format) in ascending order, with whatever lies between left out."""
    layout, end = "<", 0
    for offset, code in fields:
        layout += f"{offset - end}x{code}"
        end = offset + struct.calcsize(f"<{code}")
    return struct.Struct(layout)
