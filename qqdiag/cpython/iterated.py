"""Async generators that stand at a `yield` while somebody uses what they gave: they are in no chain, and not forgotten.

An `async for` keeps its generator on the value stack of its frame, an `async with` of an asynccontextmanager the
manager that has it as `gen`, an AsyncExitStack both behind the callbacks that it keeps; and any local may hold one.
"""

from __future__ import annotations

from qqdiag.cpython import frames, held, open_blocks
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Level, Python

MANAGERS = frozenset({held.GENERATOR_MANAGER, held.EXIT_STACK})
MAX_OBJECTS = 1_000_000
MAX_DEPTH = 5


def by_frames(runtime: Runtime, python: Python) -> set[int]:
    """The async generators that the frames of tasks and threads hold, or what these hold themselves."""
    found: set[int] = set()
    for task in python.tasks:
        for level in task.chain:
            if level.code is not None and len(found) < MAX_OBJECTS:
                _add(runtime, _objects(runtime, level), found, MAX_DEPTH)
    for thread in python.threads:
        for frame in thread.frames:
            try:
                _add(runtime, list(frames.frame_locals(runtime, frame.address).values()), found, MAX_DEPTH)
            except Unreadable:
                continue
    return found


def _objects(runtime: Runtime, level: Level) -> list[int]:
    """The locals and the value stack of one level."""
    try:
        frame = frames.frame_of(runtime, level.address)
        if frame is None:
            return []
        stack = frames.stack(runtime, frame) if level.suspended else open_blocks.stack(runtime, frame)
        return [*(slot for slot in frames.slots(runtime, frame) if slot), *stack]
    except Unreadable:
        return []


def _add(runtime: Runtime, objects: list[int], found: set[int], depth: int) -> None:
    """Generators among the objects, and in the managers among them; what those hold in their turn."""
    for address in objects:
        try:
            owner = runtime.objects.method_self(address) or address
            info = runtime.objects.type_of(owner)
            if info.dotted == "builtins.async_generator":
                inner = [] if owner in found else frames.value_stack_of(runtime, owner)
                found.add(owner)
            elif MANAGERS.isdisjoint(info.bases):
                continue
            else:
                inner = _held(runtime, owner, info.bases)
        except Unreadable:
            continue
        if depth:
            _add(runtime, inner, found, depth - 1)


def _held(runtime: Runtime, manager: int, bases: tuple[str, ...]) -> list[int]:
    objects = runtime.objects
    if held.GENERATOR_MANAGER in bases:
        generator = objects.attribute(manager, "gen")
        return [generator] if generator else []
    entered = objects.attribute(manager, "_exit_callbacks")
    pairs = objects.items(entered, held.MAX_ENTERED) if entered else []
    return [callback for pair in pairs for callback in objects.items(pair, 2)[1:]]
