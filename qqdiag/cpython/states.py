"""Whether the state of an interpreter and of its newest thread fit the layout, whose sizes no type tells.

`sys.modules` is looked for where the layout has it, else near there: it is the only living dict in the interpreter's
state that has `sys` of this very version. (Free lists have dead copies of it.)
"""

from __future__ import annotations

import dataclasses

from qqdiag.cpython.layout import Layout
from qqdiag.cpython.objects import Objects
from qqdiag.cpython.typeinfo import DICT
from qqdiag.cpython.unexported import told
from qqdiag.errors import NotReadable
from qqdiag.memory.source import MemorySource, Unreadable
from qqdiag.model import Hex, Say, Word

THREAD_INTERPRETER = 16  # PyThreadState.interp (3.9 to 3.15, Include/cpython/pystate.h)
PID_MAX = 1 << 22  # linux/threads.h PID_MAX_LIMIT
PAGE = 4096  # no system's pages are smaller
NEAR = 1024  # bytes around where it was measured
TRIES = 3  # a thread that ends meanwhile has another one's words
HINT = Say("Start the gateway with a release build of CPython that nobody patched, as in: python3.12 -m venv .venv")


def fitted(objects: Objects, interpreter: int) -> Layout:
    """The layout with `sys.modules` where it was found. Raises NotReadable with the numbers found, and Unreadable."""
    _check_thread(objects, interpreter)
    layout = objects.layout
    modules = objects.read_word(interpreter + layout.interpreter_modules)
    try:
        if modules and objects.type_of(modules).flags & DICT and objects.lookup(modules, "sys"):
            return layout
        torn = not modules  # it is starting, or this is another field
    except Unreadable:
        torn = modules % 8 == 0 and modules > PAGE  # a capture may lack the page
    found = _search(objects.memory, layout, interpreter)
    if len(found) == 1:
        return dataclasses.replace(layout, interpreter_modules=found[0], calibrated=True)
    if torn and not found:
        return layout
    raise _refusal(Word("sys.modules"), interpreter + layout.interpreter_modules, modules)


def _search(memory: MemorySource, layout: Layout, interpreter: int) -> list[int]:
    """The offsets in the interpreter's state of all living dicts that have `sys` of this version."""
    found: list[int] = []
    kinds = Objects(memory, layout)
    start = max(8, layout.interpreter_modules - NEAR)
    for offset in range(start, layout.interpreter_modules + NEAR, 8):
        try:
            word = kinds.read_word(interpreter + offset)
            if word % 8 or word <= PAGE or not kinds.type_of(word).flags & DICT or not kinds.read_int(word):
                continue
        except Unreadable:
            continue
        if told(memory, dataclasses.replace(layout, interpreter_modules=offset), interpreter) is not None:
            found.append(offset)
    return found


def _check_thread(objects: Objects, interpreter: int) -> None:
    """The newest thread's state points back to the interpreter, has the id of a thread, and a dict or none."""
    for attempt in range(TRIES):
        thread = objects.read_word(interpreter + objects.layout.interpreter_threads)
        try:
            odd = _odd(objects, interpreter, thread) if thread else None
        except Unreadable:
            return  # said where it is read
        if odd is None:
            return
        if attempt == TRIES - 1:
            raise _refusal(*odd)


def _odd(objects: Objects, interpreter: int, thread: int) -> tuple[Word, int, int] | None:
    """(field, address, value) of what cannot be; None where all is as it should be."""
    layout = objects.layout
    owner = objects.read_word(thread + THREAD_INTERPRETER)
    if owner != interpreter:
        return Word("interp"), thread + THREAD_INTERPRETER, owner
    if layout.thread_native_id is not None:
        native = objects.read_word(thread + layout.thread_native_id)
        if native > PID_MAX:
            return Word("native_thread_id"), thread + layout.thread_native_id, native
    words = objects.read_word(thread + layout.thread_dict)
    if words and (words % 8 or words <= PAGE or not objects.type_of(words).flags & DICT):
        return Word("dict"), thread + layout.thread_dict, words
    return None


def _refusal(field: Word, address: int, found: int) -> NotReadable:
    return NotReadable(
        Say(
            "This build of CPython has another layout: {field} is not at {address}, where {found} stands.",
            field=field,
            address=Hex(address),
            found=Hex(found),
        ),
        HINT,
    )
