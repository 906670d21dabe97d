"""The whole of a target's Python state: threads, loops and tasks out of one state of its memory."""

from __future__ import annotations

from msgspec import structs

from qqdiag.cpython import ages, creators, frames, leaves, locks, loops, registry, tasks, unreachable, workers
from qqdiag.cpython.causes import Causes
from qqdiag.cpython.frames import Thread
from qqdiag.cpython.registry import Books
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Say, TaskName, Word
from qqdiag.snapshot import Loop, Python, PyThread, Task

MAX_LOOPS = 1_000
MAX_COUNTED = 20_000  # futures whose references are counted
FUTURE = Word("future")


def read_python(runtime: Runtime, taken_at: float) -> Python:
    """Threads, event loops and tasks. Raises NotReadable when `_asyncio` has another layout than expected; what else
    cannot be read is a doubt.

    `taken_at`: CLOCK_MONOTONIC seconds. Pause and method are the caller's to fill in.
    """
    doubts: list[Say] = []
    threads = frames.threads(runtime, doubts)
    books = registry.read(runtime, threads)
    doubts += books.doubts
    raw = tasks.fields_of(runtime, books, doubts)
    found_loops = _loops(runtime, books, dict.fromkeys(found.loop for found in raw), doubts)
    deadline = leaves.deadlines([timer for loop in found_loops for timer in loop.timers])
    causes = Causes(
        runtime, deadline, threads, [loop.address for loop in found_loops], frozenset(books.current.values())
    )
    causes.transports = [row for loop in found_loops for row in loop.transports]
    found_tasks = tasks.read(runtime, raw, causes)
    return Python(
        version=list(runtime.version),
        flavour=runtime.flavour,
        layout=Word(_layout(runtime)),
        taken_at=taken_at,
        pause=0.0,
        method=Word("unpaused"),
        late_pages=0,
        has_asyncio=books.has_asyncio,
        complete=not doubts,
        threads=_threads(runtime, threads, books),
        loops=found_loops,
        tasks=_completed(runtime, found_tasks, found_loops),
        locks=locks.read(runtime, found_tasks, causes),
        unreachable=_unreachable(runtime, found_tasks),
        codes=runtime.codes.table,
        doubts=doubts,
    )


def _completed(runtime: Runtime, found: list[Task], found_loops: list[Loop]) -> list[Task]:
    """The tasks, with since when they wait and where they were created, as far as that is kept."""
    aged = ages.fill(runtime, found, found_loops)
    return creators.fill(runtime, aged, [loop.address for loop in found_loops if not loop.opaque])


def _unreachable(runtime: Runtime, found: list[Task]) -> list[int] | None:
    """Of the tasks that wait for a plain future with no socket, thread or timer behind it: those whose future nobody
    else refers to. None where they are too many to be counted."""
    waiting = [(task, task.leaf) for task in found if task.leaf is not None and task.leaf.kind == FUTURE]
    bare = [task for task, leaf in waiting if leaf.fd is leaf.thread is leaf.deadline_at is None]
    return unreachable.direct(runtime, bare) if len(bare) <= MAX_COUNTED else None


def _threads(runtime: Runtime, threads: list[Thread], books: Books) -> list[PyThread]:
    """The rows of the threads, with the names that `threading` has for them: before 3.14 the kernel is not told."""
    loops_of = {thread.address: loop for loop, thread in books.running.items()}
    names = workers.names(runtime)
    found = []
    for thread in threads:
        row = frames.public(runtime, thread, loops_of.get(thread.address))
        name = names.get(thread.ident)
        found.append(row if name is None else structs.replace(row, name=TaskName(printable(name))))
    return found


def _loops(runtime: Runtime, books: Books, of_tasks: dict[int, None], doubts: list[Say]) -> list[Loop]:
    """The loops that run, have a current task, or own a task."""
    running = loops.Running(books.running, books.current)
    found: list[Loop] = []
    for address in [*dict.fromkeys([*books.running, *books.current, *of_tasks])][:MAX_LOOPS]:
        try:
            found.append(loops.loop(runtime, address, running, doubts))
        except Unreadable as error:
            doubts.append(
                Say(
                    "The event loop at {loop} could not be read: nothing at {address}.",
                    loop=Hex(address),
                    address=Hex(error.address),
                )
            )
    return found


def _layout(runtime: Runtime) -> str:
    """Such as `measured-3.12`, or `published-3.13` where the target's own table was used too."""
    major, minor = runtime.layout.version
    return f"{'published' if runtime.layout.published else 'measured'}-{major}.{minor}"
