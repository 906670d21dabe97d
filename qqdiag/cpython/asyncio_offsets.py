"""`.AsyncioDebug`: what `_asyncio` of CPython 3.14 and later says of its tasks and of the rings that hold them.

It is a section of `_asyncio`'s own file, or of the interpreter's where `_asyncio` is linked into it; it has neither
symbol nor cookie (Modules/_asynciomodule.c, `Py_AsyncioModuleDebugOffsets`). Section names are not mapped, so it is
known by its contents: the size of the interpreter state, which `_Py_DebugOffsets` says too, stands at its place, and
every offset lies within its struct. Where no such table is, the measured numbers stay.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from qqdiag.cpython.layout import Layout
from qqdiag.memory.source import MemorySource, Region, Unreadable

TASK = ("task_name", "future_awaited_by", None, "future_awaited_by_is_set", "task_coroutine", "task_node")
INTERPRETER = ("interpreter_tasks",)
THREAD = ("thread_running_loop", "thread_running_task", "thread_tasks")
BYTE_FIELDS = frozenset({None, "future_awaited_by_is_set"})  # the nameless one is task_is_task
TABLE = struct.Struct("<13Q")  # each struct's size, then its fields
INTERPRETER_SIZE = 8 * 7  # where the size of the interpreter state stands
LARGEST_THREAD = 1 << 16
PAGE = 4096  # no system's pages are smaller
MAX_SCAN = 1 << 26


def published(memory: MemorySource, regions: Sequence[Region], runtime: int, layout: Layout) -> Layout:
    """`layout` with what `_asyncio` publishes laid over it; unchanged where it publishes nothing, or is not loaded.

    `runtime` is the address of `_PyRuntime`.
    """
    if layout.task_node is None or layout.interpreter_size is None:
        return layout
    for start, end in _places(regions, runtime, layout.runtime_size or 0):
        for numbers in _tables(memory, layout, start, min(end, start + MAX_SCAN)):
            # Not published: the field before the coroutine (measured on 3.9 to 3.15).
            waiter = layout.task_waiter + numbers["task_coroutine"] - layout.task_coroutine
            changes: dict[str, Any] = {**numbers, "task_waiter": waiter}
            return dataclasses.replace(layout, **changes)
    return layout


def _places(regions: Sequence[Region], runtime: int, size: int) -> Iterator[tuple[int, int]]:
    """Where to look: in the data of `_asyncio`'s file; else in the interpreter's, first behind `_PyRuntime`, as linkers
    put the one section right behind the other."""
    writable = [region for region in regions if region.readable and region.writable and region.path]
    modules = [region for region in writable if region.path.rpartition("/")[2].startswith("_asyncio.")]
    homes = [region for region in writable if region.start <= runtime < region.end]
    for home in homes[:1] if not modules else ():
        yield runtime + size, home.end
        modules = [region for region in writable if region.path == home.path]
    yield from ((region.start, region.end) for region in modules)


def _tables(memory: MemorySource, layout: Layout, start: int, end: int) -> Iterator[dict[str, int]]:
    """Every table between two addresses."""
    mark = struct.pack("<Q", layout.interpreter_size)
    for address in _found(memory, mark, start, end):
        try:
            numbers = _numbers(layout, TABLE.unpack(memory.read(address - INTERPRETER_SIZE, TABLE.size)))
        except Unreadable:
            continue
        if numbers is not None:
            yield numbers


def _found(memory: MemorySource, mark: bytes, start: int, end: int) -> Iterator[int]:
    """The aligned addresses of a word, page by page, without those that cannot be read."""
    for page in range(start & -PAGE, end, PAGE):
        try:
            data = memory.read(page, PAGE)
        except Unreadable:
            continue
        at = data.find(mark)
        while at >= 0:
            if at % 8 == 0 and page + at >= start + INTERPRETER_SIZE:
                yield page + at
            at = data.find(mark, at + 1)


def _numbers(layout: Layout, table: Sequence[int]) -> dict[str, int] | None:
    """The table's fields by our names; None where it cannot be the table."""
    task, interpreter, thread = table[:7], table[7:9], table[9:]
    if task[0] != layout.fingerprint_asyncio["Task"] or thread[0] > LARGEST_THREAD:
        return None
    fields = [*zip(TASK, task[1:], [task[0]] * 6, strict=True)]
    fields += zip(INTERPRETER, interpreter[1:], interpreter[:1], strict=True)
    fields += zip(THREAD, thread[1:], [thread[0]] * 3, strict=True)
    return {name: value for name, value, _ in fields if name} if _plausible(fields) else None


def _plausible(fields: Iterable[tuple[str | None, int, int]]) -> bool:
    """Whether each (name, offset, size of its struct) lies in its struct, aligned."""
    return all(
        16 <= value <= size - (1 if name in BYTE_FIELDS else 8) and (name in BYTE_FIELDS or value % 8 == 0)
        for name, value, size in fields
    )
