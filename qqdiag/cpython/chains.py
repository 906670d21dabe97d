"""Await chains: from a task's coroutine, level by level, to the innermost awaitable.

What a suspended coroutine awaits is the top of its value stack; what an object that is no Python frame awaits is a
field of it. The rules by type are in STEPS. A chain ends at a future, at something that awaits nothing visible, or
after MAX_LEVELS; a chain that comes back to itself ends there and says so.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from qqdiag.cpython import cython
from qqdiag.cpython.codes import CodeInfo, line
from qqdiag.cpython.frames import MAX_STACK
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Name, Say, Word
from qqdiag.snapshot import Level

MAX_LEVELS = 1_000
FUTURE, TASK = "_asyncio.Future", "_asyncio.Task"
PYTHON_FUTURE, PYTHON_TASK = "asyncio.futures.Future", "asyncio.tasks.Task"

COROUTINE, GENERATOR, ASYNC_GENERATOR = Word("coroutine"), Word("generator"), Word("async-generator")
CYTHON, WRAPPER, AWAITABLE = Word("cython"), Word("wrapper"), Word("awaitable")
FUTURE_LEVEL, TASK_LEVEL = Word("future"), Word("task")


@dataclasses.dataclass(slots=True)
class Chain:
    """The levels found, and where they end: `end` is a future or task, 0 when the chain ends at none."""

    levels: list[Level]
    end: int = 0
    executing: bool = False  # the last level runs: its value stack says nothing
    truncated: bool = False
    doubts: list[Say] = dataclasses.field(default_factory=list)


Step = Callable[[Runtime, int, TypeInfo], tuple[Level, int]]


def is_future(info: TypeInfo) -> bool:
    return FUTURE in info.bases or PYTHON_FUTURE in info.bases


def is_task(info: TypeInfo) -> bool:
    return TASK in info.bases or PYTHON_TASK in info.bases


def follow(runtime: Runtime, root: int) -> Chain:
    """The chain from `root`, outermost first. What cannot be read ends it with a doubt."""
    chain = Chain(levels=[])
    visited: set[int] = set()
    address = root
    while address:
        if address in visited:
            chain.doubts.append(Say("The chain comes back to {address}.", address=Hex(address)))
            break
        if len(visited) >= MAX_LEVELS:
            chain.truncated = True
            break
        visited.add(address)
        try:
            address = _advance(runtime, chain, address)
        except Unreadable as error:
            chain.doubts.append(Say("The chain breaks off: nothing at {address}.", address=Hex(error.address)))
            break
    return chain


def _advance(runtime: Runtime, chain: Chain, address: int) -> int:
    """Append the level at `address`; what it awaits, or 0."""
    info = runtime.objects.type_of(address)
    step = STEPS.get(info.dotted)
    if step is not None and not (info.heap and info.module == "builtins"):  # a class may have any name
        level, awaited = step(runtime, address, info)
    elif is_future(info):
        kind = TASK_LEVEL if is_task(info) else FUTURE_LEVEL
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


def _frame(runtime: Runtime, address: int, kind: Word, always: bool) -> tuple[Level, int]:
    """A coroutine, generator or async generator; `always`: when suspended it awaits, without a look at its opcode."""
    layout, fields = runtime.layout, runtime.layout.coroutine_head
    _, qualname, state, code_at, instruction, top = fields.unpack(runtime.objects.read(address, fields.size))
    code = runtime.codes.at(code_at)
    offset = instruction - code.start
    place = offset if -2 <= offset < code.size else None
    level = Level(
        kind=kind,
        address=address,
        name=runtime.names.at(qualname, code.qualname),
        code=code.index,
        line=None if place is None else line(runtime.objects, code, place),
        offset=place,
        suspended=state != 0,
    )
    if state not in layout.states_suspended or not awaits(runtime, state, code, offset, always):
        return level, 0
    if not code.localsplus < top <= code.localsplus + MAX_STACK:
        raise Unreadable(address)
    # What a frame awaits is the last word of its value stack.
    slot = address + layout.coroutine_frame + layout.frame_localsplus + 8 * (top - 1)
    return level, runtime.objects.read_word(slot)


def awaits(runtime: Runtime, state: int, code: CodeInfo, offset: int, always: bool) -> bool:
    """Whether a suspended frame stands in an await or `yield from`, rather than in a plain `yield`."""
    layout = runtime.layout
    if layout.state_yield_from is not None:  # 3.13: FRAME_SUSPENDED_YIELD_FROM (gh-104770)
        return state == layout.state_yield_from
    if always:
        return True
    if not 0 <= offset < code.size - 2:
        return False
    opcode, argument = runtime.objects.read(code.start + offset + 2, 2)
    # RESUME's argument: 1 after yield, 2 after yield from, 3 after await (Lib/dis docs, CPython 3.11)
    return (opcode in layout.resume_opcodes and argument & 3 >= 2) or opcode in layout.unknown_opcodes


def _coroutine(runtime: Runtime, address: int, info: TypeInfo) -> tuple[Level, int]:
    return _frame(runtime, address, COROUTINE, always=True)


def _generator(runtime: Runtime, address: int, info: TypeInfo) -> tuple[Level, int]:
    return _frame(runtime, address, GENERATOR, always=False)


def _async_generator(runtime: Runtime, address: int, info: TypeInfo) -> tuple[Level, int]:
    return _frame(runtime, address, ASYNC_GENERATOR, always=False)


def _wrapper(runtime: Runtime, address: int, info: TypeInfo) -> tuple[Level, int]:
    """Objects of C that hold the awaited object in their first field."""
    level = Level(kind=WRAPPER, address=address, name=type_name(info))
    return level, runtime.objects.read_word(address + runtime.layout.wrapped)


def _foreign(runtime: Runtime, address: int, info: TypeInfo) -> tuple[Level, int]:
    """Cython's coroutines by what their type says of itself; anything else by an attribute that holds a coroutine."""
    found = cython.step(runtime, address, info)
    if found is not None:
        return found
    level = Level(kind=AWAITABLE, address=address, name=type_name(info))
    for name in ("_coro", "_coroutine", "coro"):
        inner = runtime.objects.attribute(address, name)
        if inner and (
            runtime.objects.type_of(inner).dotted in STEPS or cython.is_cython(runtime.objects.type_of(inner))
        ):
            return level, inner
    return level, 0


STEPS: dict[str, Step] = {
    "builtins.coroutine": _coroutine,
    "builtins.generator": _generator,
    "builtins.async_generator": _async_generator,
    "builtins.async_generator_asend": _wrapper,
    "builtins.async_generator_athrow": _wrapper,
    "builtins.coroutine_wrapper": _wrapper,
    "builtins.anext_awaitable": _wrapper,
    "_asyncio.FutureIter": _wrapper,
}
