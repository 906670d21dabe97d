"""Locals below a frame: `timeout = 30`, `ws = ClientWebSocketResponse, fd 12`, the attributes of self."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from qqdiag.model import Hex, Say, TaskName
from qqdiag.report.document import Cell, Line, Mark
from qqdiag.snapshot import Frame, FrameLocals, Level, Locals, Python, Task, Variable

_MOST = 30  # names that are shown of one level, and of one object

Frames = dict[tuple[int, int], FrameLocals]


def frames_of(python: Python) -> Frames:
    """By task and level; nothing where they were not asked for."""
    found = python.locals.frames if isinstance(python.locals, Locals) else []
    return {(frame.task, frame.level): frame for frame in found}


def lines(frames: Frames, tasks: dict[int, Task], task: Task, level: Level, depth: int) -> Iterator[Line[Cell]]:
    """The locals of one level of a task's chain."""
    yield from _lines(frames.get((task.address, level.address)), tasks, depth)


def thread_lines(frames: Frames, tasks: dict[int, Task], frame: Frame, depth: int) -> Iterator[Line[Cell]]:
    """The locals of a thread's frame that is no task's."""
    yield from _lines(frames.get((0, frame.address)), tasks, depth)


def _lines(frame: FrameLocals | None, tasks: dict[int, Task], depth: int) -> Iterator[Line[Cell]]:
    if frame is None:
        return
    if not frame.readable:
        yield _dim(Say("its locals could not be read"), depth)
    yield from _rows(frame.variables, tasks, depth)
    if frame.omitted:
        yield _dim(Say("{count} more locals", count=frame.omitted), depth)


def _rows(variables: Iterable[Variable], tasks: dict[int, Task], depth: int) -> Iterator[Line[Cell]]:
    for one in list(variables)[:_MOST]:
        value = _value(one, tasks)
        if one.key is not None:
            yield _dim(Say(".{key} = {value}", key=one.key, value=value), depth)
        elif one.scope.reveal() == "attribute":
            yield _dim(Say(".{name} = {value}", name=one.name, value=value), depth)
        else:
            yield _dim(Say("{name} = {value}", name=one.name, value=value), depth)
        yield from _rows(one.attributes, tasks, depth + 1)
        if one.omitted:
            yield _dim(Say("{count} more attributes", count=one.omitted), depth + 1)


def _value(one: Variable, tasks: dict[int, Task]) -> Say:
    """What it is, by its kind."""
    kind = one.kind.reveal()
    if kind in ("int", "float", "bool", "none"):
        return _number(one)
    if kind in ("text", "bytes"):
        return _text(one)
    if kind == "enum" and one.called is not None:
        return Say("{type}.{called}", type=one.type, called=one.called)
    if kind == "container" and one.length is not None:
        return Say("{type} of {count}", type=one.type, count=one.length)
    if one.called is not None:
        return Say("{type}: {called}", type=one.type, called=one.called)
    return _object(one, tasks)


def _number(one: Variable) -> Say:
    if one.digits is not None:
        return Say("{digits}, a large {type}", digits=one.digits, type=one.type)
    if one.truth is not None:
        return Say("True") if one.truth else Say("False")
    if one.kind.reveal() == "none":
        return Say("None")
    if one.number is None:
        return Say("a very large number")
    if not math.isfinite(one.number):
        return Say("not a number") if math.isnan(one.number) else Say("infinite")
    return Say("{number}", number=one.number)


def _text(one: Variable) -> Say:
    text = Say("{type}", type=one.type) if one.text is None else Say("{text}", text=one.text)
    return text if one.length is None else Say("{text}, {length} long", text=text, length=one.length)


def _object(one: Variable, tasks: dict[int, Task]) -> Say:
    if one.kind.reveal() == "unreadable":
        return Say("nothing that could be read")
    if (task := tasks.get(one.address)) is not None:
        return Say("{type} {name}", type=one.type, name=_name(task.name))
    if one.fd is not None:
        return Say("{type}, fd {fd}", type=one.type, fd=one.fd)
    if one.attributes:
        return Say("{type}, with", type=one.type)
    return Say("{type} at {address}", type=one.type, address=Hex(one.address))


def _name(name: TaskName) -> Say:
    return Say("{name}", name=name)


def _dim(text: Say, depth: int) -> Line[Cell]:
    return Line(text, depth, Mark.DIM)
