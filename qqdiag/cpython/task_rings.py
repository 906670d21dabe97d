"""The rings of C's tasks in CPython 3.14 and later: one for each thread, and one of each interpreter for the tasks
whose thread has ended (`asyncio_tasks_head`, gh-128002; Include/internal/pycore_llist.h).

A ring is walked once around. Read without a pause, a task may be moved meanwhile, and lead into another ring: a walk
ends at whatever it has met before, and says so where that is not its own beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qqdiag.cpython import containers
from qqdiag.cpython.frames import Thread
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Say


def tasks(runtime: Runtime, threads: Iterable[Thread], limit: int, doubts: list[Say]) -> list[int]:
    """The addresses of at most `limit` tasks, unchecked; none before 3.14."""
    node = runtime.layout.task_node
    if node is None:
        return []
    heads = list(_heads(runtime, threads))
    met = set(heads)
    found: list[int] = []
    for head in heads:
        try:
            for address in _ring(runtime, head, met, doubts):
                if len(found) >= limit:
                    return found
                found.append(address - node)
        except Unreadable as error:
            doubts.append(Say("A list of tasks breaks off: nothing at {address}.", address=Hex(error.address)))
    return found


def _heads(runtime: Runtime, threads: Iterable[Thread]) -> Iterator[int]:
    layout = runtime.layout
    if layout.thread_tasks is not None:
        yield from (thread.address + layout.thread_tasks for thread in threads)
    if layout.interpreter_tasks is not None:
        yield from (interpreter + layout.interpreter_tasks for interpreter in runtime.interpreters)


def _ring(runtime: Runtime, head: int, met: set[int], doubts: list[Say]) -> Iterator[int]:
    """The nodes of one ring. `met` holds the heads of all rings, and every node that was met.

    Every node names the one before it: where that is another, some were passed over.
    """
    before, torn = head, False
    address, last = _links(runtime, head)
    while address not in met and address:
        met.add(address)
        yield address
        following, previous = _links(runtime, address)
        torn = torn or previous != before
        before, address = address, following
    if address != head:
        doubts.append(Say("A list of tasks leads into another one at {address}.", address=Hex(address)))
    elif torn or last != before:
        doubts.append(Say("A list of tasks is not the same forwards and backwards, at {address}.", address=Hex(head)))


def _links(runtime: Runtime, node: int) -> tuple[int, int]:
    """The next node and the one before (struct llist_node)."""
    following, previous = containers.words(runtime.memory, node + runtime.layout.node_next, 2)
    return following, previous
