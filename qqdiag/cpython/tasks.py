"""Every asyncio task: its fields, its chain, its leaf. A task that cannot be read costs itself alone."""

from __future__ import annotations

import contextlib
import dataclasses

import msgspec

from qqdiag.cpython import chains, edges, frames, held, leaves
from qqdiag.cpython.causes import Causes
from qqdiag.cpython.chains import Chain, type_name
from qqdiag.cpython.codes import line
from qqdiag.cpython.frames import RawFrame, Thread, offset_of
from qqdiag.cpython.futures import CANCELLED, FINISHED, PENDING, Fields, awaited_by, fields
from qqdiag.cpython.registry import Books
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Name, Say, TaskName, Word
from qqdiag.snapshot import Leaf, Level, Task

STATES = {state: Word(state) for state in ("running", "failed", PENDING, CANCELLED, FINISHED, "unknown")}
MAX_DOUBTS = 20  # of one sort; the rest is counted
MAX_ALL_LEVELS = 2_000_000  # of all chains together


@dataclasses.dataclass(slots=True)
class Context:
    """What the reading of one task needs of the others."""

    runtime: Runtime
    stacks: dict[int, tuple[Thread, int]]  # by coroutine: the thread that runs it, and where in its stack
    coroutines: set[int]  # of all tasks
    levels: int = MAX_ALL_LEVELS  # how many more may be read


def fields_of(runtime: Runtime, books: Books, doubts: list[Say]) -> list[Fields]:
    """The fields of every task in the books; a task that cannot be read becomes a doubt of the whole."""
    found: list[Fields] = []
    unreadable: list[int] = []
    for address in dict.fromkeys([*books.tasks, *books.current.values()]):
        try:
            found.append(_fields(runtime, address))
        except Unreadable:
            unreadable.append(address)
    doubts += [Say("The task at {task} could not be read.", task=Hex(address)) for address in unreadable[:MAX_DOUBTS]]
    if len(unreadable) > MAX_DOUBTS:
        doubts.append(Say("{count} more tasks could not be read.", count=len(unreadable) - MAX_DOUBTS))
    return found


class Step(msgspec.Struct, gc=False):
    """A task half read: where it stands, not yet why it stands there."""

    fields: Fields
    chain: Chain
    running: bool
    doubts: list[Say]


def read(runtime: Runtime, raw: list[Fields], causes: Causes) -> list[Task]:
    """The tasks, with their chains and leaves. First all chains: who holds a lock is seen in them."""
    context = Context(runtime, _stacks(causes.threads), {found.coroutine for found in raw})
    steps = [_step(context, found) for found in raw]
    levels = ((step.fields.address, step.chain.levels) for step in steps)
    causes.held = held.holders(runtime, levels, causes.started)
    found = [_task(runtime, step, causes) for step in steps]
    edges.link(found)
    return found


def _fields(runtime: Runtime, address: int) -> Fields:
    found = fields(runtime, address)
    if not found.info.is_task:
        raise Unreadable(address)
    return found


def _stacks(threads: list[Thread]) -> dict[int, tuple[Thread, int]]:
    return {
        frame.generator: (thread, index)
        for thread in threads
        for index, frame in enumerate(thread.frames)
        if frame.generator
    }


def _step(context: Context, found: Fields) -> Step:
    on_stack = context.stacks.get(found.coroutine) if found.state == PENDING else None
    if on_stack:
        doubts: list[Say] = []
        return Step(found, _running_chain(context, *on_stack, doubts), True, doubts)
    chain = _chain(context, found)
    if found.state == PENDING and chain.executing:
        _append_called(context.runtime, chain)
        return Step(found, chain, True, [Say("The task runs, but no thread's stack has its coroutine.")])
    return Step(found, chain, False, [])


def _task(runtime: Runtime, step: Step, causes: Causes) -> Task:
    found, chain = step.fields, step.chain
    suspended = found.state == PENDING and not step.running
    leaf = _leaf(runtime, step, causes) if suspended else None
    failed = found.state == FINISHED and _failed(runtime, found)
    return Task(
        address=found.address,
        name=TaskName(printable(found.name or "")),
        type=type_name(found.info),
        state=STATES[_state(found, step.running)],
        loop=found.loop,
        coroutine=found.coroutine,
        waiter=found.waiter or None,
        chain=chain.levels,
        leaf=leaf,
        exception=_exception(runtime, found) if failed else None,
        exception_fetched=not found.log_traceback if failed else None,
        cancelling=found.cancelling,
        awaited_by=_awaited_by(runtime, found),
        started=causes.started.get(found.address, []),
        truncated=chain.truncated,
        doubts=step.doubts + chain.doubts if chain.doubts else step.doubts,
    )


def _may_be_pending(runtime: Runtime, future: int) -> bool:
    """Of a future that is done the task has let go, a moment before its coroutine goes on (`task_step_impl`); of one
    that is pending only the task that the loop is at has not yet taken hold."""
    try:
        return fields(runtime, future).state not in (CANCELLED, FINISHED)
    except Unreadable:
        return False  # the leaf says so


def _leaf(runtime: Runtime, step: Step, causes: Causes) -> Leaf | None:
    """The leaf, where the task's own waiter and the end of its chain agree; otherwise a doubt, and the waiter."""
    waiter, chain, doubts = step.fields.waiter, step.chain, step.doubts
    if waiter and not chain.end:
        _append_waiter(runtime, chain, waiter, doubts)
    elif waiter and chain.end != waiter:
        doubts.append(
            Say("The task waits for {waiter}, its chain ends at {leaf}.", waiter=Hex(waiter), leaf=Hex(chain.end))
        )
    elif chain.end and not waiter and step.fields.address not in causes.current and _may_be_pending(runtime, chain.end):
        doubts.append(Say("The task waits for nothing, its chain ends at {leaf}.", leaf=Hex(chain.end)))
    try:
        return leaves.leaf(runtime, chain, causes)
    except Unreadable as error:
        doubts.append(Say("The leaf could not be read: nothing at {address}.", address=Hex(error.address)))
        return None


def _append_waiter(runtime: Runtime, chain: Chain, waiter: int, doubts: list[Say]) -> None:
    """A plain `yield future`, as `asyncio.futures.Future.__await__` has it, leaves nothing on the value stack."""
    try:
        info = runtime.objects.type_of(waiter)
    except Unreadable:
        doubts.append(Say("The task's waiter at {waiter} could not be read.", waiter=Hex(waiter)))
        return
    last = chain.levels[-1] if chain.levels else None
    if last is None or last.kind != chains.GENERATOR:
        doubts.append(Say("The task waits for {waiter}, which its chain does not reach.", waiter=Hex(waiter)))
    kind = chains.TASK_LEVEL if info.is_task else chains.FUTURE_LEVEL
    chain.levels.append(Level(kind=kind, address=waiter, name=type_name(info)))
    chain.end = waiter


def _chain(context: Context, found: Fields) -> Chain:
    """The chain of a task that does not run; a finished one is its coroutine alone, which may be gone."""
    if not found.coroutine or runtime_none(context.runtime, found.coroutine):
        return Chain(levels=[])
    chain = chains.follow(context.runtime, found.coroutine, min(context.levels, chains.MAX_LEVELS))
    context.levels -= len(chain.levels)
    return chain


def runtime_none(runtime: Runtime, address: int) -> bool:
    try:
        return runtime.objects.is_none(address)
    except Unreadable:
        return True


def _running_chain(context: Context, thread: Thread, index: int, doubts: list[Say]) -> Chain:
    """The coroutines of a running task, outermost first, from the stack of the thread that runs it."""
    levels: list[Level] = []
    for frame in reversed(thread.frames[: index + 1]):
        if levels and frame.generator in context.coroutines:  # another task's eager step: not ours
            break
        if frame.generator:
            try:
                levels.append(_running_level(context.runtime, frame))
            except Unreadable:
                doubts.append(Say("A running coroutine at {address} could not be read.", address=Hex(frame.generator)))
    return Chain(levels=levels, executing=True, truncated=thread.truncated)


def _append_called(runtime: Runtime, chain: Chain) -> None:
    """What the last coroutine of a running task awaits, where the thread's stack was not kept: in a core of gdb's."""
    with contextlib.suppress(Unreadable):
        chain.levels.extend(
            _running_level(runtime, frame) for frame in frames.called(runtime, chain.levels[-1].address)
        )


def _running_level(runtime: Runtime, frame: RawFrame) -> Level:
    info = runtime.objects.type_of(frame.generator)
    qualname = runtime.objects.read_word(frame.generator + runtime.layout.coroutine_qualname)
    offset = offset_of(frame.code, frame.offset)
    return Level(
        kind=chains.FRAMES.get(info.dotted, chains.AWAITABLE),
        address=frame.generator,
        name=runtime.names.at(qualname, frame.code),
        code=frame.code.index,
        line=None if offset is None else line(runtime.objects, frame.code, offset),
        offset=offset,
        suspended=False,
    )


def _awaited_by(runtime: Runtime, found: Fields) -> list[int] | None:
    if not found.awaited_by:
        return None if runtime.layout.future_awaited_by is None else []
    try:
        return awaited_by(runtime, found)
    except Unreadable:
        return None


def _failed(runtime: Runtime, found: Fields) -> bool:
    """Whether a finished task has an exception."""
    return bool(found.exception) and not runtime_none(runtime, found.exception)


def _state(found: Fields, running: bool) -> str:
    if running:
        return "running"
    if found.state == FINISHED and found.exception:
        return "failed"
    return found.state if found.state in (PENDING, CANCELLED, FINISHED) else "unknown"


def _exception(runtime: Runtime, found: Fields) -> Name | None:
    try:
        return type_name(runtime.objects.type_of(found.exception))
    except Unreadable:
        return None
