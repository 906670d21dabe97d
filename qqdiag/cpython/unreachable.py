"""Futures that nothing can complete: no reference to them is held outside of the wait itself.

A future is completed by who holds it. The reference count says how many do; those of its own waiter are known: the
task's `fut_waiter`, the iterator that is awaited, the locals and value stacks of the task's coroutines, which do not
run before it is done. Where these are all there are, and no weak reference leads to it, only a cancellation of the task
can end the wait. Any other number proves nothing, and nothing is said.
"""

from __future__ import annotations

import struct

from qqdiag.cpython import containers, frame_objects, frames
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Level, Task

FUTURE = "_asyncio.Future"
ITERATOR = "_asyncio.FutureIter"
WEAK_LISTS = 208  # PyTypeObject.tp_weaklistoffset, negative for a managed one (Include/cpython/object.h)


def waits_for_ever(runtime: Runtime, task: Task) -> bool:
    """Whether all references to what a pending task waits for are of the task's own wait."""
    future = task.waiter
    if future is None or task.leaf is None or task.leaf.address != future or task.leaf.state.reveal() != "pending":
        return False
    try:
        info = runtime.objects.type_of(future)
        if info.dotted != FUTURE or _weakly_held(runtime, info.address, future):
            return False
        own = 1 + sum(_held(runtime, level, future) for level in task.chain)
        return _references(runtime, future) == own
    except Unreadable:
        return False


def _references(runtime: Runtime, address: int) -> int:
    """ob_refcnt, of which 3.12+ has 32 bits; a mortal object's never has more (gh-101696)."""
    (count,) = struct.unpack("<I", runtime.objects.read(address, 4))
    return int(count)


def _weakly_held(runtime: Runtime, type_address: int, address: int) -> bool:
    (offset,) = struct.unpack("<q", runtime.objects.read(type_address + WEAK_LISTS, 8))
    return bool(offset and runtime.objects.read_word(address + offset))


def _held(runtime: Runtime, level: Level, future: int) -> int:
    """How many references to the future one level of the chain holds."""
    if runtime.objects.type_of(level.address).dotted == ITERATOR:
        return int(runtime.objects.read_word(level.address + runtime.layout.wrapped) == future)
    frame = frames.frame_of(runtime, level.address)
    return _slots(runtime, frame).count(future) if frame is not None else 0


def _slots(runtime: Runtime, frame: frames.RawFrame) -> list[int]:
    """The words of a frame's locals and value stack. One that owns no reference (3.14+) has a flag in it, and so is
    equal to no address."""
    layout = runtime.layout
    if layout.frame_object is not None:
        head = frame_objects.read(runtime.objects, frame.address)
        return [*frames.slots(runtime, frame), *frame_objects.stack(runtime.objects, head, frames.MAX_STACK)]
    pointer = frame.address + layout.frame_stacktop
    top = runtime.objects.read_word(pointer) if layout.stacktop_is_pointer else runtime.objects.read_int(pointer)
    depth = layout.stack_depth(frame.address, top)
    if not 0 <= depth <= frame.code.localsplus + frames.MAX_STACK:
        raise Unreadable(frame.address)
    return list(containers.words(runtime.memory, frame.address + layout.frame_localsplus, depth))
