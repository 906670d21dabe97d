"""Layouts for builds that have a field more in a struct than the release that was measured: a patch, another release.

The type says by how much its objects are larger. Where the field was added, the objects themselves must show: every
place is tried on all of them, and one is believed only where no object contradicts it and values that cannot be
mistaken stand right before and right behind it. Whatever remains uncertain is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from qqdiag.cpython.layout import Layout
from qqdiag.cpython.objects import Objects
from qqdiag.memory.source import Unreadable

LARGEST_GAP = 64  # bytes: more is another struct
# enum _framestate (Include/internal/pycore_frame.h, CPython 3.11 to 3.13)
STARTED = (-3, -2, -1)  # FRAME_CREATED, FRAME_SUSPENDED, FRAME_SUSPENDED_YIELD_FROM
OTHERS = (0, 1, 4)  # FRAME_EXECUTING, FRAME_COMPLETED, FRAME_CLEARED
MAX_CANCELS = 1_000

# Of a field's place in an object: True where it holds what only that field can, None where it is empty, False where it
# holds what the field cannot.
Judge = Callable[[Objects, int], bool | None]
Field = tuple[tuple[str, ...], Judge]  # names of Layout: the field, and those that share its word


def fit(
    objects: Objects, fields: Sequence[Field], found: Sequence[int], gap: int, range_: tuple[int, int] | None = None
) -> Layout | None:
    """The layout in which `fields` are `gap` bytes further on from one of them onward; None where it is not certain
    which one that is.

    `fields`: in ascending order. `found`: the addresses of objects. `range_`: the least and the largest index of
    the first field that moved, where something else proves them.
    """
    if not 0 < gap <= LARGEST_GAP or gap % 8 or not found:
        return None
    low, high = range_ or (0, len(fields))
    places = [(_place(objects.layout, names[0]), judge) for names, judge in fields]
    here = [_verdict(objects, judge, found, place) for place, judge in places]
    there = [_verdict(objects, judge, found, place + gap) for place, judge in places]
    certain = [
        first
        for first in range(low, high + 1)
        if not any(told is False for told in (*here[:first], *there[first:]))
        and (first == low or here[first - 1])
        and (first == high or there[first])
    ]
    if len(certain) != 1:
        return None
    return moved(objects.layout, [name for names, _ in fields[certain[0] :] for name in names], gap)


def moved(layout: Layout, names: Sequence[str], gap: int) -> Layout:
    """`layout` with these fields `gap` bytes further on."""
    changes: dict[str, Any] = {}
    for name in names:
        value = getattr(layout, name)
        changes[name] = (value[0] + gap, value[1]) if isinstance(value, tuple) else value + gap
    return dataclasses.replace(layout, **changes)


def _place(layout: Layout, name: str) -> int:
    value = getattr(layout, name)
    return int(value[0] if isinstance(value, tuple) else value)


def _verdict(objects: Objects, judge: Judge, found: Sequence[int], place: int) -> bool | None:
    """Of all objects together: False where one contradicts, True where one shows it and none contradicts."""
    seen: bool | None = None
    for address in found:
        try:
            told = judge(objects, address + place)
        except Unreadable:
            told = False
        if told is False:
            return False
        seen = seen or told
    return seen


# --- tasks (Modules/_asynciomodule.c, CPython 3.9 to 3.13) ------------------------------------------------------------


def _having(method: str) -> Judge:
    """An object whose class has a method of that name."""

    def judge(objects: Objects, at: int) -> bool | None:
        value = objects.read_word(at)
        return objects.class_attribute(objects.type_of(value), method) is not None if value else None

    return judge


def _of(*types: str) -> Judge:
    """An instance of one of the types, or of one that derives from it."""

    def judge(objects: Objects, at: int) -> bool | None:
        value = objects.read_word(at)
        return not set(types).isdisjoint(objects.type_of(value).bases) if value else None

    return judge


def _number(largest: int) -> Judge:
    """A C int from 0 on."""

    def judge(objects: Objects, at: int) -> bool | None:
        value = int.from_bytes(objects.read(at, 4), "little")
        return value <= largest if value else None

    return judge


def _callback(objects: Objects, at: int) -> bool | None:
    """A callable, with the context that it runs in behind it."""
    value = objects.read_word(at)
    if not value:
        return None
    context = objects.read_word(at + 8)
    return bool(context) and "Context" in objects.type_of(context).name and _has_call(objects, value)


def _has_call(objects: Objects, value: int) -> bool:
    return objects.type_of(value).name not in ("Context", "list", "str")


def _object(objects: Objects, at: int) -> bool | None:
    """Any object."""
    value = objects.read_word(at)
    return bool(objects.type_of(value).dotted) if value else None


FUTURE: tuple[Field, ...] = (
    (("future_loop",), _having("call_soon")),
    (("future_callback0",), _callback),
    (("future_callbacks",), _of("builtins.list")),
    (("future_exception",), _of("builtins.BaseException")),
    (("future_result",), _object),
    (("future_state", "future_log_traceback"), _number(2)),
)
TASK: tuple[Field, ...] = (
    (("task_waiter",), _having("add_done_callback")),
    (("task_coroutine",), _having("send")),
    (("task_name",), _of("builtins.str", "builtins.int")),
    (("task_must_cancel",), _number(1)),
    (("task_cancels",), _number(MAX_CANCELS)),
)


# --- coroutines (Include/cpython/genobject.h, CPython 3.11 to 3.13) ---------------------------------------------------


def _state(objects: Objects, at: int) -> bool | None:
    value = int.from_bytes(objects.read(at, 1), "little", signed=True)
    return True if value in STARTED else None if value in OTHERS else False


def _frame(objects: Objects, at: int) -> bool | None:
    """The frame of a coroutine that has not ended has its code object."""
    return objects.type_of(objects.read_word(at + objects.layout.frame_code)).dotted == "builtins.code"


COROUTINE: tuple[Field, ...] = (
    (("coroutine_qualname",), _of("builtins.str")),
    (("coroutine_state",), _state),
    (("coroutine_frame",), _frame),
)
