"""Which task holds which lock: asyncio.Lock keeps no owner, but a frame keeps what it must leave.

The value stack of a frame has the bound `__aexit__` of each open `async with` (since 3.14 the function and its object,
one above the other); of a frame that runs, the part below its open blocks is known (open_blocks.py). A task with the
`__aexit__` of a lock, that does not wait in the lock's own `__aenter__`, holds it; so does one inside an
asynccontextmanager, an AsyncExitStack or an `async for` over a generator which does. A lock that was taken with a plain
`await lock.acquire()` leaves no such trace.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from qqdiag.cpython import callbacks, frames, open_blocks
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Level

LOCK, SEMAPHORE, CONDITION = "asyncio.locks.Lock", "asyncio.locks.Semaphore", "asyncio.locks.Condition"
LOCKS = frozenset({LOCK, SEMAPHORE, CONDITION})
GENERATOR_MANAGER = "contextlib._AsyncGeneratorContextManager"
EXIT_STACK = "contextlib.AsyncExitStack"
MAX_DEPTH = 5  # managers within managers
MAX_ENTERED = 1_000  # in one AsyncExitStack

# Structured concurrency: what is open has the tasks that were started in it, in a set of this attribute.
GROUPS = {"asyncio.taskgroups.TaskGroup": "_tasks", "anyio._backends._asyncio.TaskGroup": "_tasks"}
MAX_STARTED = 100_000  # in one group

Held = dict[int, list[int]]


@dataclasses.dataclass(slots=True)
class _Search:
    """One search over all tasks. `bare` are the places in code where a frame has nothing open: how much lies on the
    value stack depends on the place alone."""

    runtime: Runtime
    started: Held
    held: Held = dataclasses.field(default_factory=dict)
    bare: set[tuple[int, int | None, bool]] = dataclasses.field(default_factory=set)


def holders(runtime: Runtime, chains: Iterable[tuple[int, list[Level]]], started: Held | None = None) -> Held:
    """By lock: the tasks that hold it, given each task with its chain. What cannot be read holds nothing.

    `started` gets, by task, those in the task groups that it has open.
    """
    search = _Search(runtime, {} if started is None else started)
    bare = search.bare
    for task, levels in chains:
        for index, level in enumerate(levels):
            if level.code is not None and (level.code, level.offset, level.suspended) not in bare:
                _level(search, task, levels, index)
    return {lock: tasks for lock, tasks in search.held.items() if _is_locked(runtime, lock)}


def _is_locked(runtime: Runtime, lock: int) -> bool:
    """Not one that was released by hand inside of its `async with`."""
    try:
        flag = runtime.objects.attribute(lock, "_locked")
        return flag is None or runtime.objects.truth(flag) is not False
    except Unreadable:
        return False


def _level(search: _Search, task: int, levels: list[Level], index: int) -> None:
    """What the frame of one level has open and entered."""
    level, runtime = levels[index], search.runtime
    assert level.code is not None
    try:
        stack = _stack(runtime, level)
        if len(stack) <= level.suspended:  # what it awaits
            search.bare.add((level.code, level.offset, level.suspended))
            return
        managers = list(_managers(runtime, stack))
        if managers and _enters(runtime, levels, index + 1, managers[-1]):
            managers.pop()
        within = {other.address for other in levels}
        for manager in managers:
            search.started.setdefault(task, []).extend(_started(runtime, manager))
            for lock in _locks(runtime, manager, within, MAX_DEPTH):
                if not _gave_up(runtime, levels[index + 1 :], lock):
                    tasks = search.held.setdefault(lock, [])
                    if task not in tasks[-1:]:
                        tasks.append(task)
    except Unreadable:
        return


def _started(runtime: Runtime, manager: int) -> list[int]:
    """The tasks in a task group; none where the manager is no group."""
    bases = runtime.objects.type_of(manager).bases
    attribute = next((GROUPS[base] for base in bases if base in GROUPS), None)
    held = runtime.objects.attribute(manager, attribute) if attribute else None
    return runtime.objects.items(held, MAX_STARTED) if held else []


def _stack(runtime: Runtime, level: Level) -> list[int]:
    frame = frames.frame_of(runtime, level.address)
    if frame is None:
        return []
    return frames.stack(runtime, frame) if level.suspended else open_blocks.stack(runtime, frame)


def _managers(runtime: Runtime, stack: list[int]) -> Iterator[int]:
    """The context managers that a value stack must leave, and the async generators that it iterates over."""
    objects = runtime.objects
    for index, item in enumerate(stack):
        dotted = objects.type_of(item).dotted
        if dotted == "builtins.method" and _is_exit(runtime, item):
            yield objects.read_word(item + runtime.layout.method_self)
        elif dotted == "builtins.function" and index + 1 < len(stack) and _is_exit(runtime, item):
            yield stack[index + 1]
        elif dotted == "builtins.async_generator":
            yield item


def _is_exit(runtime: Runtime, callback: int) -> bool:
    if runtime.objects.type_of(callback).dotted == "builtins.method":
        callback = runtime.objects.read_word(callback + runtime.layout.method_function)
    return callbacks.name(runtime, callback).reveal().endswith("__aexit__")


def _enters(runtime: Runtime, levels: list[Level], index: int, manager: int) -> bool:
    """Whether the level at `index` is still the `__aenter__` of the manager."""
    level = levels[index] if index < len(levels) else None
    return level is not None and level.name.reveal().endswith("__aenter__") and own(runtime, level) == manager


def own(runtime: Runtime, level: Level) -> int | None:
    """The `self` of a level: its first argument. None where it has no such frame."""
    frame = frames.frame_of(runtime, level.address)
    return None if frame is None or not frame.code.localsplus else frames.slots(runtime, frame)[0] or None


def _gave_up(runtime: Runtime, inner: list[Level], lock: int) -> bool:
    """Whether a `Condition.wait` below has released the lock, which it takes again before it returns."""
    conditions = [own(runtime, level) for level in inner if level.name.reveal() == "Condition.wait"]
    return any(
        lock in (condition, runtime.objects.attribute(condition, "_lock")) for condition in conditions if condition
    )


def _locks(runtime: Runtime, manager: int, within: set[int], depth: int) -> Iterator[int]:
    """The locks that an entered manager holds. Generators `within` the chain are levels, and judged there."""
    objects = runtime.objects
    info = objects.type_of(manager)
    if not LOCKS.isdisjoint(info.bases):
        yield manager
        lock = objects.attribute(manager, "_lock") if CONDITION in info.bases else None
        if lock is not None:
            yield lock
    elif depth:
        for inner in _inner(runtime, manager, info.bases, within):
            yield from _locks(runtime, inner, within, depth - 1)


def _inner(runtime: Runtime, manager: int, bases: tuple[str, ...], within: set[int]) -> Iterator[int]:
    """The managers that are entered as long as this one is."""
    objects = runtime.objects
    if EXIT_STACK in bases:
        entered = objects.attribute(manager, "_exit_callbacks")
        for pair in objects.items(entered, MAX_ENTERED) if entered else []:
            callback = objects.items(pair, 2)[-1:]
            owner = objects.method_self(callback[0]) if callback else None
            if owner is not None and _is_exit(runtime, callback[0]):
                yield owner
        return
    generator = objects.attribute(manager, "gen") if GENERATOR_MANAGER in bases else manager
    if generator and generator not in within and _suspended(runtime, generator):
        yield from _managers(runtime, frames.value_stack_of(runtime, generator))


def _suspended(runtime: Runtime, generator: int) -> bool:
    """Whether a generator stands in a `yield`: of one that has ended the value stack is stale."""
    layout = runtime.layout
    if runtime.objects.type_of(generator).dotted != "builtins.async_generator":
        return False
    if layout.coroutine_state is None:
        return True
    (state,) = runtime.objects.read(generator + layout.coroutine_state, 1)
    return state - (state >> 7 << 8) in layout.states_suspended
