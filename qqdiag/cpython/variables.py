"""Locals of the tasks' frames and the attributes of `self`: what each is, as far as memory alone tells it.

Nothing is called: no repr(), no property, no `__len__`. Of what a value holds only a number, a length or the beginning
of a text is read; a dict of a million entries costs as much as an empty one. What is not set is left out, as in
`locals()`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from qqdiag.cpython import callbacks, descriptors, frames
from qqdiag.cpython.attribute_names import AttributeNames
from qqdiag.cpython.chains import type_name
from qqdiag.cpython.codes import CELL, FREE, local_names
from qqdiag.cpython.frames import RawFrame
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.cpython.typeinfo import INT, TEXT, TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import FreeText, Id, Name, Word
from qqdiag.snapshot import FrameLocals, Level, Locals, PyThread, Task, Variable

MAX_FRAMES = 400  # over all tasks: what is read is looked through before it is shown
MAX_TASKS = 10_000  # that are looked at for frames
MAX_LEVELS = 10  # of one chain, from the innermost on
MACHINERY = ("/asyncio/", "/concurrent/futures/", "/threading.py", "/selectors.py", "runpy")  # in a code's path
MAX_NAMES = 30  # of one frame, and of one object's attributes
MAX_TEXT = 200  # characters or bytes
SHORT = 128  # up to here the length of a text narrows down what it is
LONG = 1_000_000  # from here on a number may be somebody's: a user, a group, a phone
LARGEST = 1 << 62
HIDDEN = 0x10  # CO_FAST_HIDDEN (3.12): of a comprehension that was made inline (PEP 709)
KEY = "?"  # in place of a name that no code uses
CONTAINERS = frozenset(
    {"builtins.list", "builtins.tuple", "builtins.dict", "builtins.set", "builtins.frozenset", "collections.deque"}
)
BYTES = frozenset({"builtins.bytes", "builtins.bytearray", "builtins.memoryview"})
CALLABLES = frozenset(
    {"builtins.function", "builtins.method", "builtins.builtin_function_or_method", "builtins.builtin_method"}
)


@dataclasses.dataclass(slots=True)
class _Found:
    """What one value is: the fields of `Variable` that say it."""

    kind: str
    number: int | float | None = None
    truth: bool | None = None
    length: int | None = None
    text: str | None = None
    digits: str | None = None
    called: str | None = None
    fd: int | None = None


@dataclasses.dataclass(slots=True)
class _Seen:
    """Within one chain: whose attributes are told already."""

    names: AttributeNames
    told: set[int] = dataclasses.field(default_factory=set)


def read(runtime: Runtime, tasks: list[Task], threads: Iterable[PyThread] = ()) -> Locals:
    """The locals of the innermost frames of the unfinished tasks, first one task of each sort, within MAX_FRAMES; then
    those of the threads' frames that are no task's."""
    frames_: list[FrameLocals] = []
    omitted, names = 0, AttributeNames(runtime)
    for task in _chosen(tasks):
        seen = _Seen(names)
        for level in [level for level in task.chain if level.code is not None][-MAX_LEVELS:][::-1]:
            if len(frames_) == MAX_FRAMES:
                omitted += 1
                continue
            found = _of_level(runtime, task, level, seen)
            if found is not None:
                frames_.append(found)
    known = {level.address for task in tasks for level in task.chain}
    for thread in threads:
        own, room = _of_thread(runtime, thread, known, names), max(MAX_FRAMES - len(frames_), 0)
        frames_ += own[:room]
        omitted += len(own[room:])
    return Locals(frames=frames_, omitted=omitted)


def _of_thread(runtime: Runtime, thread: PyThread, known: set[int], names: AttributeNames) -> list[FrameLocals]:
    """The locals of a thread's innermost frames; those of a task's coroutine are told with the task, and those of the
    machinery that runs loops, threads and pools say nothing."""
    found: list[FrameLocals] = []
    seen = _Seen(names)
    for shown in thread.frames[:MAX_LEVELS]:
        try:
            frame = frames.frame_at(runtime, shown.address)
            if frame.generator not in known and not any(part in frame.code.path for part in MACHINERY):
                found.append(_of_frame(runtime, frame, 0, shown.address, seen))
        except Unreadable:
            found.append(FrameLocals(task=0, level=shown.address, readable=False))
    return found


def _chosen(tasks: list[Task]) -> list[Task]:
    """Unfinished tasks: of those that stand at the same places first one each, then the others."""
    begun = [task for task in tasks if task.state.reveal() in ("pending", "running")][:MAX_TASKS]
    first: dict[tuple[tuple[int | None, int | None], ...], Task] = {}
    for task in begun:
        first.setdefault(tuple((level.code, level.offset) for level in task.chain[-MAX_LEVELS:]), task)
    chosen = {task.address for task in first.values()}
    return [*first.values(), *(task for task in begun if task.address not in chosen)]


def _of_level(runtime: Runtime, task: Task, level: Level, seen: _Seen) -> FrameLocals | None:
    """The locals of one level; None where it has no frame of Python's."""
    try:
        frame = frames.frame_of(runtime, level.address)
        return None if frame is None else _of_frame(runtime, frame, task.address, level.address, seen)
    except Unreadable:
        return FrameLocals(task=task.address, level=level.address, readable=False)


def _of_frame(runtime: Runtime, frame: RawFrame, task: int, level: int, seen: _Seen) -> FrameLocals:
    """The locals of one frame that are set. Raises Unreadable."""
    names, words = local_names(runtime.objects, frame.code), frames.slots(runtime, frame)
    held = [(name, kind, word) for (name, kind), word in zip(names, words, strict=False) if word]
    shown = [one for one in held if not one[1] & HIDDEN and not one[0].startswith(".")]
    found = [_local(runtime, name, kind, word, seen) for name, kind, word in shown[:MAX_NAMES]]
    variables = [variable for variable in found if variable is not None]
    return FrameLocals(task=task, level=level, variables=variables, omitted=max(len(shown) - MAX_NAMES, 0))


def _local(runtime: Runtime, name: str, kind: int, word: int, seen: _Seen) -> Variable | None:
    """One local, cells opened; None for a cell that is empty."""
    scope = "free" if kind & FREE else "cell" if kind & CELL else "local"
    try:
        if kind & (CELL | FREE) and runtime.objects.type_of(word).dotted == "builtins.cell":
            word = runtime.objects.read_word(word + runtime.layout.cell_contents)
            if not word:
                return None
    except Unreadable:
        return _unreadable(name, scope, word)
    if name != "self" or word in seen.told:
        return variable(runtime, name, scope, word)
    seen.told.add(word)
    return variable(runtime, name, scope, word, inside=seen.names)


def variable(
    runtime: Runtime, name: str, scope: str, address: int, *, inside: AttributeNames | None = None, key: bool = False
) -> Variable:
    """The object at `address`. `inside`: with its attributes. `key`: its name is no code's but a key of a dict."""
    try:
        info = runtime.objects.type_of(address)
        found = _found(runtime, address, info)
        attributes, omitted = _attributes(runtime, address, inside) if inside and found.kind == "object" else ([], 0)
    except Unreadable:
        return _unreadable(name, scope, address, key)
    return Variable(
        name=Name(KEY if key else printable(name)),
        key=Id(printable(name)) if key else None,
        type=type_name(info),
        scope=Word(scope),
        kind=Word(found.kind),
        address=address,
        number=found.number,
        truth=found.truth,
        length=found.length,
        text=None if found.text is None else FreeText(found.text),
        digits=None if found.digits is None else Id(found.digits),
        called=None if found.called is None else Name(printable(found.called)),
        fd=found.fd,
        attributes=attributes,
        omitted=omitted,
    )


def _unreadable(name: str, scope: str, address: int, key: bool = False) -> Variable:
    return Variable(
        name=Name(KEY if key else printable(name)),
        key=Id(printable(name)) if key else None,
        type=Name("?"),
        scope=Word(scope),
        kind=Word("unreadable"),
        address=address,
    )


def _attributes(runtime: Runtime, address: int, names: AttributeNames) -> tuple[list[Variable], int]:
    """The first instance attributes by the order in which they were set, and how many are left out."""
    held = [(name, word) for name, word in runtime.objects.attributes(address).items() if name.isidentifier()]
    used = names.of(runtime.objects.type_of(address))
    shown = [variable(runtime, name, "attribute", word, key=name not in used) for name, word in held[:MAX_NAMES]]
    return shown, max(len(held) - MAX_NAMES, 0)


def _found(runtime: Runtime, address: int, info: TypeInfo) -> _Found:
    """What the value is, by its type."""
    objects = runtime.objects
    if objects.is_none(address):
        return _Found("none")
    if "enum.Enum" in info.bases:
        member = objects.attribute(address, "_name_")
        return _Found("enum", called=objects.text(member) if member else None)
    truth = objects.truth(address)
    if truth is not None:
        return _Found("bool", truth=truth)
    if info.flags & INT:
        return _integer(objects.integer(address))
    if "builtins.float" in info.bases:
        return _float(objects.number(address))
    if info.flags & TEXT:
        return _text(objects.read_word(address + runtime.layout.text_length), (objects.text(address) or "")[:MAX_TEXT])
    if not BYTES.isdisjoint(info.bases):
        return _bytes(runtime, address, info)
    return _other(runtime, address, info)


def _integer(value: int | None) -> _Found:
    """None: of more digits than are read."""
    if value is None or abs(value) < LONG:
        return _Found("int", number=value)
    return _Found("int", digits=str(value))


def _float(value: float | None) -> _Found:
    """To three digits: as many as a timeout has, and fewer than a place on a map."""
    if value is None or not math.isfinite(value) or abs(value) < LONG:
        return _Found("float", number=value if value is None or not math.isfinite(value) else float(f"{value:.3g}"))
    return _Found("float", digits=repr(value))


def _text(length: int, begin: str) -> _Found:
    if not 0 <= length < LARGEST:
        raise Unreadable(0)
    return _Found("text", length=length if length > SHORT else None, text=begin)


def _bytes(runtime: Runtime, address: int, info: TypeInfo) -> _Found:
    """The beginning of a bytes object, a character a byte; of what keeps its bytes elsewhere the length alone."""
    count = runtime.objects.byte_count(address)
    if count is None or not 0 <= count < LARGEST:
        raise Unreadable(address)
    if "builtins.bytes" not in info.bases:
        return _Found("bytes", length=count)
    begin = runtime.objects.read(address + runtime.layout.bytes_data, min(count, MAX_TEXT)) if count else b""
    return _Found("bytes", length=count if count > SHORT else None, text=begin.decode("latin-1"))


def _other(runtime: Runtime, address: int, info: TypeInfo) -> _Found:
    if not CONTAINERS.isdisjoint(info.bases):
        count = runtime.objects.count(address)
        if count is not None and not 0 <= count < LARGEST:
            raise Unreadable(address)
        return _Found("container", length=count)
    if info.dotted in CALLABLES:
        return _Found("callable", called=callbacks.name(runtime, address).reveal())
    if runtime.objects.is_type(address):
        return _Found("class", called=runtime.objects.type_at(address).qualname)
    return _Found("object", fd=descriptors.of_object(runtime, address, info))
