"""The fields of a Future or Task, C's (`_asyncio`) or Python's (`asyncio.futures`), read in one piece."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import FUTURE, TEXT, TypeInfo
from qqdiag.memory.live import OUTSIDE, PAGE, WITHIN
from qqdiag.memory.source import Unreadable

PENDING, CANCELLED, FINISHED, UNKNOWN = "pending", "cancelled", "finished", "unknown"
STATES = {0: PENDING, 1: CANCELLED, 2: FINISHED}  # fut_state (Modules/_asynciomodule.c)
word = struct.Struct("<Q").unpack_from
SMALLEST = 16  # bytes of an object
MAX_CALLBACKS = 1_000
MAX_AWAITERS = 10_000


class Fields(msgspec.Struct, gc=False):
    """A future, or a task; 0 where a field is not set."""

    address: int
    info: TypeInfo
    state: str
    loop: int
    exception: int
    log_traceback: bool  # nobody has fetched the exception yet
    first_callback: int  # C: called first
    more_callbacks: int  # a list of (callback, context)
    waiter: int = 0
    coroutine: int = 0
    name: str | None = None
    cancelling: int = 0
    awaited_by: int = 0  # a set, or the only one
    awaited_by_set: bool = True


def fields(runtime: Runtime, address: int) -> Fields:
    """The future or task at `address`; Unreadable when it is none."""
    found = _at_once(runtime, address)
    if found is not None:
        return found
    info = runtime.objects.type_of(address)
    if FUTURE in info.bases:
        return _c_fields(runtime, address, info)
    if info.is_future:
        return _python_fields(runtime, address, info)
    raise Unreadable(address)


def _at_once(runtime: Runtime, address: int) -> Fields | None:
    """The fields of a C task or future that lies within one page; None where they must be read otherwise."""
    page, at = runtime.objects.kept.get(address & OUTSIDE) or runtime.objects.page(address), address & WITHIN
    if page is None or at > PAGE - SMALLEST:
        return None
    pointer = word(page, at + runtime.layout.object_type)[0]
    kind = runtime.futures.get(pointer) or _kind(runtime, pointer)
    if kind is None or at > kind.fits:
        return None
    layout, info = runtime.layout, kind.info
    words = kind.pick(kind.unpack(page, at))
    log = bool(words[4] & layout.future_log_traceback[1])
    state = STATES.get(words[1], UNKNOWN)
    if not info.is_task:
        return Fields(address, info, state, words[2], words[3], log, words[5], words[6])
    _, _, loop, exception, _, first, more, waiter, coroutine, name, must, cancels, awaited_by, is_set = words
    cancelling = max(0 if layout.task_cancels is None else cancels, int(bool(must & layout.task_must_cancel[1])))
    if layout.future_awaited_by is None or layout.future_awaited_by_is_set is None:
        awaited_by, is_set = 0, 1
    own = (waiter, coroutine, task_name(runtime, name), cancelling, awaited_by, bool(is_set))
    return Fields(address, info, state, loop, exception, log, first, more, *own)


class Kind(NamedTuple):
    """How to read the instances of one type of C's futures or tasks in one piece."""

    info: TypeInfo
    unpack: Callable[[bytes, int], tuple[int, ...]]
    pick: Callable[[tuple[int, ...]], tuple[int, ...]]
    fits: int  # the last place in a page from which on one lies in it wholly


def _kind(runtime: Runtime, pointer: int) -> Kind | None:
    """The type at `pointer`; None where it is none of C's futures or tasks."""
    info = runtime.objects.type_at(pointer)
    record = runtime.layout.task_record if info.is_task else runtime.layout.future_record
    if record is None or FUTURE not in info.bases:
        return None
    fields, pick = record
    kind = runtime.futures[pointer] = Kind(info, fields.unpack_from, pick, PAGE - fields.size)
    return kind


def _c_fields(runtime: Runtime, address: int, info: TypeInfo) -> Fields:
    layout = runtime.layout
    task = info.is_task
    size = layout.fingerprint_asyncio["Task" if task else "Future"]
    words = struct.unpack(f"<{size // 8}Q", runtime.objects.read(address, size))
    found = Fields(
        address=address,
        info=info,
        state=STATES.get(_int(words, layout.future_state), UNKNOWN),
        loop=words[layout.future_loop // 8],
        exception=words[layout.future_exception // 8],
        log_traceback=bool(_int(words, layout.future_log_traceback[0]) & layout.future_log_traceback[1]),
        first_callback=words[layout.future_callback0 // 8],
        more_callbacks=words[layout.future_callbacks // 8],
    )
    if task:
        if layout.future_awaited_by is not None and layout.future_awaited_by_is_set is not None:
            found.awaited_by = words[layout.future_awaited_by // 8]
            found.awaited_by_set = bool(_int(words, layout.future_awaited_by_is_set) & 0xFF)
        found.waiter = words[layout.task_waiter // 8]
        found.coroutine = words[layout.task_coroutine // 8]
        found.name = task_name(runtime, words[layout.task_name // 8])
        must = _int(words, layout.task_must_cancel[0]) & layout.task_must_cancel[1]
        requests = 0 if layout.task_cancels is None else _int(words, layout.task_cancels)
        found.cancelling = max(requests, int(bool(must)))
    return found


def _int(words: Sequence[int], offset: int) -> int:
    """The C int at `offset` of a struct that was unpacked in words."""
    return words[offset // 8] >> (offset % 8 * 8) & 0xFFFFFFFF


def awaited_by(runtime: Runtime, future: Fields) -> list[int] | None:
    """The tasks and futures that await it, as the interpreter itself keeps them since 3.14 (gh-91048); None before."""
    if runtime.layout.future_awaited_by is None:
        return None
    if not future.awaited_by:
        return []
    return runtime.objects.items(future.awaited_by, MAX_AWAITERS) if future.awaited_by_set else [future.awaited_by]


def task_name(runtime: Runtime, address: int) -> str | None:
    """A task's name: since 3.12.1 (gh-112137) an int N where nobody named it, which means Task-N."""
    if not address:
        return None
    number = None if runtime.objects.type_of(address).flags & TEXT else runtime.objects.integer(address)
    return runtime.objects.text(address) if number is None else f"Task-{number}"


def callbacks(runtime: Runtime, future: Fields) -> list[int]:
    """The callbacks on a future, in the order of their call."""
    objects = runtime.objects
    found = [future.first_callback] if future.first_callback else []
    if future.more_callbacks and not objects.is_none(future.more_callbacks):
        pairs = (objects.items(pair, 1) for pair in objects.items(future.more_callbacks, MAX_CALLBACKS))
        found += [pair[0] for pair in pairs if pair]
    return found


def _python_fields(runtime: Runtime, address: int, info: TypeInfo) -> Fields:
    """The pure-Python classes (Lib/asyncio/futures.py, tasks.py), which keep the same in attributes."""
    objects = runtime.objects
    found = objects.attributes(address)

    def held(name: str) -> int:
        value = found.get(name, 0)
        return 0 if not value or objects.is_none(value) else value

    state = held("_state")
    return Fields(
        address=address,
        info=info,
        state=((objects.text(state) or UNKNOWN) if state else PENDING).lower(),
        loop=held("_loop"),
        exception=held("_exception"),
        log_traceback=bool(held("_Future__log_traceback") and objects.truth(found["_Future__log_traceback"])),
        first_callback=0,
        more_callbacks=held("_callbacks"),
        waiter=held("_fut_waiter"),
        coroutine=held("_coro"),
        name=task_name(runtime, held("_name")),
        cancelling=_cancels(runtime, held("_num_cancels_requested"), held("_must_cancel")),
        awaited_by=held("_Future__asyncio_awaited_by"),
    )


def _cancels(runtime: Runtime, requested: int, must: int) -> int:
    count = (runtime.objects.integer(requested) if requested else 0) or 0
    return max(count, int(bool(must and runtime.objects.truth(must))), 0)
