"""Await chains: from a task's coroutine, level by level, to the innermost awaitable.

What a suspended coroutine awaits is the top of its value stack; what an object that is no Python frame awaits is a
field of it. A chain ends at a future, at something that awaits nothing visible, or
after MAX_LEVELS; a chain that comes back to itself ends there and says so.
"""

from __future__ import annotations

import functools

import msgspec

from qqdiag.cpython import cython, frame_objects
from qqdiag.cpython.codes import CodeInfo, line
from qqdiag.cpython.frames import MAX_STACK
from qqdiag.cpython.places import Place
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.cpython.typeinfo import NAMELESS, TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Name, Say, Word
from qqdiag.snapshot import Level

MAX_LEVELS = 1_000

COROUTINE, GENERATOR, ASYNC_GENERATOR = Word("coroutine"), Word("generator"), Word("async-generator")
WRAPPER, AWAITABLE = Word("wrapper"), Word("awaitable")
FUTURE_LEVEL, TASK_LEVEL = Word("future"), Word("task")

# Types whose objects have a frame of Python in them.
FRAMES = {
    "builtins.coroutine": COROUTINE,
    "builtins.generator": GENERATOR,
    "builtins.async_generator": ASYNC_GENERATOR,
}
# Types of C whose first field is what they await (Objects/genobject.c, Objects/iterobject.c, Modules/_asynciomodule.c).
WRAPPERS = {
    "builtins.async_generator_asend",
    "builtins.async_generator_athrow",
    "builtins.coroutine_wrapper",
    "builtins.anext_awaitable",
    "_asyncio.FutureIter",
}


class Chain(msgspec.Struct, gc=False):
    """The levels found, and where they end: `end` is a future or task, 0 when the chain ends at none."""

    levels: list[Level]
    end: int = 0
    executing: bool = False  # the last level runs: its value stack says nothing
    truncated: bool = False
    doubts: list[Say] = []


def follow(runtime: Runtime, root: int, limit: int = MAX_LEVELS) -> Chain:
    """The chain from `root`, outermost first, at most `limit` levels. What cannot be read ends it with a doubt."""
    chain = Chain(levels=[])
    visited: set[int] = set()
    address = root
    following = runtime.along
    while address := following(chain, visited, address, limit):
        if address in visited:
            chain.doubts.append(Say("The chain comes back to {address}.", address=Hex(address)))
            break
        if len(visited) >= limit:
            chain.truncated = True
            break
        visited.add(address)
        try:
            address = _advance(runtime, chain, address, runtime.objects.peek(address))
        except Unreadable as error:
            chain.doubts.append(Say("The chain breaks off: nothing at {address}.", address=Hex(error.address)))
            break
    return chain


def _advance(runtime: Runtime, chain: Chain, address: int, head: bytes) -> int:
    """Append the level at `address`, of which `head` was read already; what it awaits, or 0."""
    objects, at = runtime.objects, runtime.layout.object_type
    info = objects.type_at(int.from_bytes(head[at : at + 8], "little"))
    frame = FRAMES.get(info.dotted)
    if frame is not None and not info.heap:  # a class may have any name
        level, awaited = _frame(runtime, address, head, frame)
    elif info.dotted in WRAPPERS:
        runtime.kinds[info.address] = Place(WRAPPER, type_name(info), None, None, None, True, runtime.layout.wrapped)
        level, awaited = Level(kind=WRAPPER, address=address, name=type_name(info)), _wrapped(runtime, address)
    elif info.is_future:
        kind = TASK_LEVEL if info.is_task else FUTURE_LEVEL
        runtime.kinds[info.address] = Place(kind, type_name(info), None, None, None, True, 0, end=True)
        level, awaited = Level(kind=kind, address=address, name=type_name(info)), 0
        chain.end = address
    else:
        level, awaited = _foreign(runtime, address, info)
    chain.levels.append(level)
    chain.executing = not level.suspended
    return awaited


@functools.cache
def _name(qualname: str) -> Name:
    return Name(printable(qualname))


def type_name(info: TypeInfo) -> Name:
    """The type's qualname."""
    return _name(info.qualname)


def _frame(runtime: Runtime, address: int, head: bytes, kind: Word) -> tuple[Level, int]:
    """A coroutine, generator or async generator, of which `head` was read already."""
    if runtime.layout.frame_object is not None:
        return _frame_object(runtime, address, kind)
    fields = runtime.layout.coroutine_head
    if len(head) < fields.size:
        head = runtime.objects.read(address, fields.size)
    info, qualname, state, code, instruction, stacktop = fields.unpack_from(head)
    top = runtime.layout.stack_depth(address + runtime.layout.coroutine_frame, stacktop)
    key = (info, qualname, state, code, instruction, top)
    place = runtime.places.get(key)
    if place is None:
        place = runtime.places[key] = _place(runtime, kind, *key[1:])
    kind, name, index, line, offset, suspended, slot, _ = place
    level = Level(kind=kind, address=address, name=name, code=index, line=line, offset=offset, suspended=suspended)
    if not slot:
        return level, 0
    word = head[slot : slot + 8]
    held = int.from_bytes(word, "little") if len(word) == 8 else runtime.objects.read_word(address + slot)
    return level, runtime.layout.referent(held)


def _place(
    runtime: Runtime, kind: Word, qualname: int, state: int, code_at: int, instruction: int, stacktop: int
) -> Place:
    """What the fields of a coroutine mean; Unreadable where they contradict each other."""
    layout = runtime.layout
    code = runtime.codes.at(layout.referent(code_at))
    offset = instruction - code.start
    valid = -2 <= offset < code.size
    slot = 0
    if state in layout.states_suspended and awaits(runtime, state, code, offset, kind):
        if not code.localsplus <= stacktop - layout.awaited_depth < code.localsplus + MAX_STACK:
            raise Unreadable(code_at)
        # What a frame awaits is the last word of its value stack, or the last but one.
        slot = layout.coroutine_frame + layout.frame_localsplus + 8 * (stacktop - layout.awaited_depth)
    return Place(
        kind=kind,
        name=runtime.names.at(qualname, code),
        code=code.index,
        line=line(runtime.objects, code, offset) if valid else None,
        offset=offset if valid else None,
        suspended=state != layout.state_executing,
        slot=slot,
    )


def _frame_object(runtime: Runtime, address: int, kind: Word) -> tuple[Level, int]:
    """The same up to 3.10, where the frame is an object that goes when the run has ended."""
    objects, layout = runtime.objects, runtime.layout
    qualname = objects.read_word(address + layout.coroutine_qualname)
    frame = objects.read_word(address + layout.coroutine_frame)
    if not frame:
        code = runtime.codes.at(objects.read_word(address + (layout.coroutine_code or 0)))
        return Level(kind=kind, address=address, name=runtime.names.at(qualname, code), code=code.index), 0
    head = frame_objects.read(objects, frame)
    code = runtime.codes.at(head.code)
    valid = -2 <= head.offset < code.size
    level = Level(
        kind=kind,
        address=address,
        name=runtime.names.at(qualname, code),
        code=code.index,
        line=line(objects, code, head.offset) if valid else None,
        offset=head.offset if valid else None,
        suspended=head.state != frame_objects.EXECUTING,
    )
    if head.state != frame_objects.SUSPENDED or not awaits(runtime, head.state, code, head.offset, kind):
        return level, 0
    held = frame_objects.stack(objects, head, MAX_STACK)
    if not held:
        raise Unreadable(frame)
    return level, held[-1]


def awaits(runtime: Runtime, state: int, code: CodeInfo, offset: int, kind: Word) -> bool:
    """Whether a suspended frame stands in an await or `yield from`, rather than in a plain `yield`."""
    layout = runtime.layout
    if layout.state_yield_from is not None:  # 3.13: FRAME_SUSPENDED_YIELD_FROM (gh-104770)
        return state == layout.state_yield_from
    if kind is COROUTINE:  # a suspended coroutine always awaits
        return True
    if not 0 <= offset < code.size - 2:
        return False
    opcode, argument = runtime.objects.read(code.start + offset + 2, 2)
    # RESUME's argument: 1 after yield, 2 after yield from, 3 after await (Lib/dis docs, CPython 3.11)
    awaiting = opcode in layout.resume_opcodes and argument & 3 >= layout.resume_argument
    return awaiting or opcode in layout.unknown_opcodes


def _wrapped(runtime: Runtime, address: int) -> int:
    """Objects of C that hold the awaited object in their first field."""
    return runtime.objects.read_word(address + runtime.layout.wrapped)


def _foreign(runtime: Runtime, address: int, info: TypeInfo) -> tuple[Level, int]:
    """Cython's coroutines by what their type says of itself; anything else by an attribute that holds a coroutine."""
    found = cython.step(runtime, address, info)
    if found is not None:
        return found
    level = Level(kind=AWAITABLE, address=address, name=type_name(info))
    if (info.module, info.qualname) == NAMELESS:
        return _nameless(runtime, address, level)
    for name in ("_coro", "_coroutine", "coro"):
        inner = runtime.objects.attribute(address, name)
        held = runtime.objects.type_of(inner) if inner else None
        if inner and held and (held.dotted in FRAMES or held.dotted in WRAPPERS or cython.is_cython(held)):
            return level, inner
    return level, 0


def _nameless(runtime: Runtime, address: int, level: Level) -> tuple[Level, int]:
    """An object of C whose type has no name that can be read: a wrapper, where its first field can be awaited."""
    inner = runtime.objects.read_word(address + runtime.layout.wrapped)
    try:
        held = runtime.objects.type_of(inner)
    except Unreadable:
        return level, 0
    known = held.dotted in FRAMES or held.is_future or (held.module, held.qualname) == NAMELESS
    return (msgspec.structs.replace(level, kind=WRAPPER), inner) if known else (level, 0)
