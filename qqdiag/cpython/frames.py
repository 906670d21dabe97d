"""Frames: the stacks of threads, where each frame stands, its locals and its value stack.

`_PyInterpreterFrame` (Include/internal/pycore_frame.h): in a thread's stack, or embedded in a coroutine. Up to 3.10 a
frame is an object (frame_objects.py).
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

from qqdiag.cpython import containers, frame_objects, native_ids
from qqdiag.cpython.codes import CELL, FREE, CodeInfo, line, local_names
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Say
from qqdiag.snapshot import Frame, PyThread

MAX_THREADS = 10_000
THREAD_INTERPRETER = 16  # PyThreadState.interp (3.9 to 3.15, Include/cpython/pystate.h)
MAX_FRAMES = 1_000
MAX_STACK = 10_000
COROUTINE_TYPES = {"builtins.coroutine", "builtins.generator", "builtins.async_generator"}


class RawFrame(NamedTuple):
    """One interpreter frame: its code, where it stands, and its owner."""

    address: int
    code: CodeInfo
    offset: int  # of the current instruction, in bytes
    previous: int
    generator: int  # the coroutine or generator it is embedded in, 0 when there is none


class Thread(NamedTuple):
    """A thread state and its stack, innermost frame first."""

    address: int
    native_id: int
    ident: int  # threading.get_ident(): pthread_t
    frames: list[RawFrame]
    truncated: bool
    interpreter: int


def threads(runtime: Runtime, doubts: list[Say]) -> list[Thread]:
    """Every thread of every interpreter. A thread whose stack breaks off is `truncated`."""
    found: list[Thread] = []
    visited: set[int] = set()
    for interpreter in runtime.interpreters:
        try:
            address = runtime.objects.read_word(interpreter + runtime.layout.interpreter_threads)
            if not address and interpreter == runtime.interpreters[-1]:  # others may wait for a thread to enter them
                doubts.append(Say("The main interpreter has no thread."))
            while address and address not in visited and len(found) < MAX_THREADS:
                visited.add(address)
                if runtime.objects.read_word(address + THREAD_INTERPRETER) != interpreter:
                    raise Unreadable(address)
                found.append(_thread(runtime, interpreter, address))
                address = runtime.objects.read_word(address + runtime.layout.thread_next)
        except Unreadable as error:
            doubts.append(Say("The list of threads breaks off: nothing at {address}.", address=Hex(error.address)))
    return found


def _thread(runtime: Runtime, interpreter: int, address: int) -> Thread:
    word, layout = runtime.objects.read_word, runtime.layout
    frames: list[RawFrame] = []
    ident = word(address + layout.thread_id)
    if layout.thread_native_id is None:
        native_id = native_ids.of_pthread(runtime, interpreter, ident)
    else:
        native_id = word(address + layout.thread_native_id)
    try:
        top = word(address + layout.thread_frame)
        if layout.cframe_frame is not None and top:
            top = word(top + layout.cframe_frame)
        complete = _stack(runtime, top, frames)
    except Unreadable:
        complete = False
    return Thread(address, native_id, ident, frames, truncated=not complete, interpreter=interpreter)


def _stack(runtime: Runtime, address: int, frames: list[RawFrame]) -> bool:
    """Append the frames from `address` on to `frames`; whether the end was reached."""
    visited: set[int] = set()
    while address and address not in visited and len(visited) < MAX_FRAMES:
        visited.add(address)
        if runtime.layout.frame_object is not None:
            frames.append(frame_at(runtime, address))
            address = frames[-1].previous
            continue
        head = runtime.objects.read(address, runtime.layout.frame_localsplus)
        if head[runtime.layout.frame_owner] >= runtime.layout.owner_c_stack:
            (address,) = struct.unpack_from("<Q", head, runtime.layout.frame_previous)
            continue
        frames.append(_raw(runtime, address, head))
        address = frames[-1].previous
    return not address


def _raw(runtime: Runtime, address: int, head: bytes) -> RawFrame:
    layout = runtime.layout
    code = runtime.codes.at(layout.referent(struct.unpack_from("<Q", head, layout.frame_code)[0]))
    (instruction,) = struct.unpack_from("<Q", head, layout.frame_instruction)
    owned = head[layout.frame_owner] == layout.owner_generator
    return RawFrame(
        address=address,
        code=code,
        offset=instruction - code.start,
        previous=struct.unpack_from("<Q", head, layout.frame_previous)[0],
        generator=address - layout.coroutine_frame if owned else 0,
    )


def frame_at(runtime: Runtime, address: int) -> RawFrame:
    """The frame at `address`."""
    if runtime.layout.frame_object is None:
        return _raw(runtime, address, runtime.objects.read(address, runtime.layout.frame_localsplus))
    head = frame_objects.read(runtime.objects, address)
    return RawFrame(address, runtime.codes.at(head.code), head.offset, head.previous, head.generator)


def code_at(runtime: Runtime, address: int) -> int:
    """The code of a coroutine or generator, also of one that has ended; 0 for what is none.

    Up to 3.10 the frame of one that has ended is gone, and the code is kept beside it (Objects/genobject.c, `gi_code`).
    """
    frame = frame_of(runtime, address)
    if frame is not None:
        return frame.code.address
    kept = runtime.layout.coroutine_code
    if kept is None or runtime.objects.type_of(address).dotted not in COROUTINE_TYPES:
        return 0
    return runtime.objects.read_word(address + kept)


def frame_of(runtime: Runtime, address: int) -> RawFrame | None:
    """The frame of a coroutine, generator or async generator; None for any other object, a Cython coroutine for one,
    and up to 3.10 for one that has ended."""
    if runtime.objects.type_of(address).dotted not in COROUTINE_TYPES:
        return None
    frame = address + runtime.layout.coroutine_frame
    if runtime.layout.frame_object is not None:
        frame = runtime.objects.read_word(frame)
    return frame_at(runtime, frame) if frame else None


def slots(runtime: Runtime, frame: RawFrame) -> list[int]:
    """The objects in a frame's locals, cells and free variables, by their names' order; 0 where one is not set."""
    apart = runtime.layout.frame_object
    start = frame.address + (runtime.layout.frame_localsplus if apart is None else apart.localsplus)
    return [runtime.layout.referent(word) for word in containers.words(runtime.memory, start, frame.code.localsplus)]


def stack(runtime: Runtime, frame: RawFrame) -> list[int]:
    """The value stack of a frame that does not run, bottom first: open `async with` and `for` keep their objects
    there."""
    layout, own = runtime.layout, frame.code.localsplus
    if layout.frame_object is not None:
        head = frame_objects.read(runtime.objects, frame.address)
        return [word for word in frame_objects.stack(runtime.objects, head, MAX_STACK) if word]
    pointer = frame.address + layout.frame_stacktop
    top = runtime.objects.read_word(pointer) if layout.stacktop_is_pointer else runtime.objects.read_int(pointer)
    depth = layout.stack_depth(frame.address, top) - own
    if not 0 < depth <= MAX_STACK:
        return []
    words = containers.words(runtime.memory, frame.address + layout.frame_localsplus + 8 * own, depth)
    return [held for word in words if (held := layout.referent(word))]


def called(runtime: Runtime, address: int) -> Iterator[RawFrame]:
    """The frames of the coroutines that a running one awaits, outermost first, from its own value stack and not from
    that of a thread: each must say itself that it returns to the one before it. Not before 3.11."""
    frame = frame_of(runtime, address) if runtime.layout.frame_object is None else None
    visited: set[int] = set()
    while frame is not None and frame.address not in visited and len(visited) < MAX_FRAMES:
        visited.add(frame.address)
        frame = next(_returning_to(runtime, frame), None)
        if frame is not None:
            yield frame


def _returning_to(runtime: Runtime, frame: RawFrame) -> Iterator[RawFrame]:
    for held in reversed(stack(runtime, frame)):
        with contextlib.suppress(Unreadable):  # a word that is no object
            inner = frame_of(runtime, held)
            if inner is not None and inner.previous == frame.address:
                yield inner


def offset_of(code: CodeInfo, offset: int) -> int | None:
    """`offset` where it lies in the code; None where it cannot be one."""
    return offset if -2 <= offset < code.size else None


def public(runtime: Runtime, thread: Thread, loop: int | None) -> PyThread:
    """The snapshot's row of a thread; `loop` is the event loop that runs in it."""
    return PyThread(
        native_id=thread.native_id or None,
        frames=[public_frame(runtime, frame) for frame in thread.frames],
        loop=loop,
        truncated=thread.truncated,
    )


def public_frame(runtime: Runtime, frame: RawFrame) -> Frame:
    offset = offset_of(frame.code, frame.offset)
    return Frame(
        code=frame.code.index,
        line=None if offset is None else line(runtime.objects, frame.code, offset),
        address=frame.address,
        offset=offset,
    )


def locals_of(runtime: Runtime, level_address: int) -> dict[str, int]:
    """Locals, cells and free variables of a suspended coroutine, generator or async generator: name -> object.

    Nothing for any other object, a Cython coroutine for one: it has no such frame.
    """
    frame = frame_of(runtime, level_address)
    return {} if frame is None else _named(runtime, frame)


def frame_locals(runtime: Runtime, frame_address: int) -> dict[str, int]:
    """The same for the frame at `frame_address`, of a running thread for instance."""
    return _named(runtime, frame_at(runtime, frame_address))


def _named(runtime: Runtime, frame: RawFrame) -> dict[str, int]:
    found: dict[str, int] = {}
    names = local_names(runtime.objects, frame.code)
    for (name, kind), value in zip(names, slots(runtime, frame), strict=False):
        if value and kind & (CELL | FREE) and runtime.objects.type_of(value).dotted == "builtins.cell":
            value = runtime.objects.read_word(value + runtime.layout.cell_contents)
        if value:
            found[name] = value
    return found


def value_stack_of(runtime: Runtime, level_address: int) -> list[int]:
    """The value stack of a suspended coroutine, bottom first; nothing for what has no such frame."""
    frame = frame_of(runtime, level_address)
    return [] if frame is None else stack(runtime, frame)
