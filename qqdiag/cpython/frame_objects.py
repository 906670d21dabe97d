"""Frames up to CPython 3.10: each is an object of its own, to which its coroutine and its thread point.

`PyFrameObject` (Include/cpython/frameobject.h of 3.9 and 3.10). A coroutine that has ended has no frame any more.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from qqdiag.cpython import containers
from qqdiag.cpython.layout import FrameObject
from qqdiag.cpython.objects import Objects
from qqdiag.memory.source import Unreadable

CREATED, SUSPENDED, EXECUTING = -2, -1, 0  # the states of coroutine_state since 3.11, which these frames lack


class Head(NamedTuple):
    """What a frame object says of itself."""

    code: int
    offset: int  # of the current instruction, in bytes; negative before the first
    previous: int
    generator: int
    state: int
    stack: int  # the address of its value stack
    top: int  # the address behind the last value; 0 while the frame runs


def read(objects: Objects, address: int) -> Head:
    """The frame object at `address`; Unreadable when it is none."""
    layout = objects.layout.frame_object
    assert layout is not None
    objects.expect(address, "builtins.frame")
    head = objects.read(address, layout.localsplus)
    (last,) = struct.unpack_from("<i", head, layout.last_instruction)
    where, value = layout.executing
    executing = head[where] == value
    return Head(
        code=_word(head, layout.code),
        offset=last * layout.instruction_unit,
        previous=_word(head, layout.previous),
        generator=_word(head, layout.generator),
        state=EXECUTING if executing else CREATED if last < 0 else SUSPENDED,
        stack=_word(head, layout.value_stack),
        top=0 if executing else _top(layout, head),
    )


def _word(head: bytes, offset: int) -> int:
    return int(struct.unpack_from("<Q", head, offset)[0])


def _top(layout: FrameObject, head: bytes) -> int:
    if layout.stack_top is not None:
        return _word(head, layout.stack_top)
    assert layout.stack_depth is not None
    depth: int = struct.unpack_from("<i", head, layout.stack_depth)[0]
    return _word(head, layout.value_stack) + 8 * max(depth, 0)


def stack(objects: Objects, head: Head, limit: int) -> tuple[int, ...]:
    """The value stack, bottom first; Unreadable where it cannot be one. Empty while the frame runs."""
    if not head.top:
        return ()
    depth, odd = divmod(head.top - head.stack, 8)
    if odd or not 0 <= depth <= limit:
        raise Unreadable(head.top)
    return containers.words(objects.memory, head.stack, depth)
