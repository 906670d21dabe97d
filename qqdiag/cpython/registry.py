"""asyncio's own books: all tasks, the current task of each loop, the running loop of each thread.

Up to 3.11 `asyncio.tasks._all_tasks`, a WeakSet; since 3.12 `_scheduled_tasks`, a WeakSet, and `_eager_tasks`, a
set that holds a task during its first, eager step (gh-97696). Since 3.14 these hold the tasks of other classes than C's
alone; C's are in rings (task_rings.py), which a task leaves when it is done.
"""

from __future__ import annotations

import dataclasses

from qqdiag.cpython import task_rings
from qqdiag.cpython.fitting import mismatch as layout_mismatch
from qqdiag.cpython.frames import Thread
from qqdiag.cpython.objects import WEAK_REFERENCES
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Say, Word

MAX_TASKS = 1_000_000
WEAK_SETS = ("_all_tasks", "_scheduled_tasks")
GLOBALS = (*WEAK_SETS, "_eager_tasks", "_current_tasks", "Task", "Future")
RUNNING_LOOP_KEY = "__asyncio_running_event_loop__"
RUNNING_LOOP_HOLDER = 16  # _RunningLoopHolder.running_loop (up to 3.11)


@dataclasses.dataclass(slots=True)
class Books:
    """What the interpreters' asyncio modules hold."""

    has_asyncio: bool = False
    tasks: list[int] = dataclasses.field(default_factory=list)
    current: dict[int, int] = dataclasses.field(default_factory=dict)  # loop -> task
    running: dict[int, Thread] = dataclasses.field(default_factory=dict)  # loop -> thread
    truncated: bool = False
    doubts: list[Say] = dataclasses.field(default_factory=list)


def read(runtime: Runtime, threads: list[Thread]) -> Books:
    """The books of every interpreter."""
    books = Books()
    books.tasks = list(dict.fromkeys(task_rings.tasks(runtime, threads, MAX_TASKS, books.doubts)))
    seen = set(books.tasks)
    for interpreter in runtime.interpreters:
        try:
            _interpreter(runtime, interpreter, books, seen)
        except Unreadable as error:
            books.doubts.append(
                Say(
                    "The task registry of an interpreter could not be read: nothing at {address}.",
                    address=Hex(error.address),
                )
            )
    for thread in threads:
        try:
            loop, task = _running_loop(runtime, thread), _running_task(runtime, thread)
        except Unreadable:
            continue
        if loop:
            books.running[loop] = thread
        if loop and task:
            books.current[loop] = task
    unlisted = [task for task in books.current.values() if task not in seen]
    if unlisted:
        books.doubts.append(Say("A task that runs is in no set of tasks: {task}.", task=Hex(unlisted[0])))
    if books.running and not books.has_asyncio:
        books.doubts.append(Say("An event loop runs, but the module asyncio.tasks was not found."))
    return books


def _interpreter(runtime: Runtime, interpreter: int, books: Books, seen: set[int]) -> None:
    objects = runtime.objects
    module = runtime.module(interpreter, "asyncio.tasks")
    if module is None:
        return
    books.has_asyncio = True
    namespace = runtime.globals_of(module, GLOBALS)
    _check_types(runtime, namespace)
    for address in _registered(runtime, namespace, books.doubts):
        if len(books.tasks) >= MAX_TASKS:
            books.truncated = True
            return
        if address not in seen:
            seen.add(address)
            books.tasks.append(address)
    current = namespace.get("_current_tasks")
    books.current |= dict(objects.pairs(current)) if current else {}


def _registered(runtime: Runtime, namespace: dict[str, int], doubts: list[Say]) -> list[int]:
    """The tasks in the module's sets; dead references are left out."""
    objects = runtime.objects
    found: list[int] = []
    sets = [objects.attribute(namespace[name], "data") for name in WEAK_SETS if name in namespace]
    if not sets or None in sets:
        doubts.append(Say("The set of all tasks was not found in the module asyncio.tasks."))
    for data in sets:
        found += _referents(runtime, _members(runtime, data, doubts), doubts) if data else []
    if "_eager_tasks" in namespace:
        found += _members(runtime, namespace["_eager_tasks"], doubts)
    return found


def _members(runtime: Runtime, address: int, doubts: list[Say]) -> list[int]:
    """The members of a set, which must be as many as it says itself: a slot that reads as free is no other sign."""
    found, used = runtime.objects.items(address), runtime.objects.count(address)
    if used is None:
        doubts.append(Say("What should be a set of tasks is none, at {address}.", address=Hex(address)))
    elif used != len(found):
        doubts.append(
            Say("A set of tasks has {used} members by its own count, {found} were found.", used=used, found=len(found))
        )
    return found


def _referents(runtime: Runtime, references: list[int], doubts: list[Say]) -> list[int]:
    """What weak references lead to. No two of one set lead to the same, and what is dead has lost its callback
    (`PyObject_ClearWeakRefs`, Objects/weakrefobject.c)."""
    objects = runtime.objects
    found: dict[int, None] = {}
    odd = 0
    for reference in references:
        task = objects.referent(reference)
        odd += task in found or (task is None and not _is_dead(runtime, reference))
        if task is not None:
            found[task] = None
    if odd:
        doubts.append(Say("Entries of the set of all tasks that lead to no task of their own: {count}.", count=odd))
    return list(found)


def _is_dead(runtime: Runtime, reference: int) -> bool:
    """Whether it is a weak reference to what is gone."""
    objects, at = runtime.objects, reference + runtime.layout.weakref_object
    if WEAK_REFERENCES.isdisjoint(objects.type_of(reference).bases):
        return False
    referent, callback = objects.read_word(at), objects.read_word(at + 8)
    return bool(referent) and not callback


def _check_types(runtime: Runtime, namespace: dict[str, int]) -> None:
    """The second half of the fingerprint: the sizes of `_asyncio`'s Task and Future."""
    objects = runtime.objects
    for name, expected in runtime.layout.fingerprint_asyncio.items():
        found = namespace.get(name)
        info = objects.type_at(found) if found else None
        base = next((objects.type_at(a) for a in info.ancestors if _is_c(runtime, a)), None) if info else None
        if base is not None and base.dotted == f"_asyncio.{name}" and base.basicsize != expected:
            raise layout_mismatch(Word(f"_asyncio.{name}"), base.basicsize, expected)


def _is_c(runtime: Runtime, pointer: int) -> bool:
    return runtime.objects.type_at(pointer).module == "_asyncio"


def _running_task(runtime: Runtime, thread: Thread) -> int:
    """The task that runs in a thread, where the thread knows it; 0 when there is none."""
    if runtime.layout.thread_running_task is None:
        return 0
    task = runtime.objects.read_word(thread.address + runtime.layout.thread_running_task)
    return 0 if not task or runtime.objects.is_none(task) else task


def _running_loop(runtime: Runtime, thread: Thread) -> int:
    """The loop that runs in a thread, 0 when there is none."""
    objects, layout = runtime.objects, runtime.layout
    if layout.thread_running_loop is not None:
        loop = objects.read_word(thread.address + layout.thread_running_loop)
    else:
        dictionary = objects.read_word(thread.address + layout.thread_dict)
        loop = (objects.lookup(dictionary, RUNNING_LOOP_KEY) or 0) if dictionary else 0
        if loop and objects.type_of(loop).name == "_RunningLoopHolder":  # up to 3.11
            loop = objects.read_word(loop + RUNNING_LOOP_HOLDER)
    return 0 if not loop or objects.is_none(loop) else loop
