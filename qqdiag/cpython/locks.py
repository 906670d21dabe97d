"""asyncio's synchronizers that a task holds or waits at: their state, their holders, who waits in which order.

Attributes of Lib/asyncio/locks.py and Lib/asyncio/queues.py, the same from 3.9 to 3.15.
"""

from __future__ import annotations

from qqdiag.cpython.causes import Causes
from qqdiag.cpython.chains import type_name
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.model import Word
from qqdiag.snapshot import Lock, Task

MAX_LOCKS = 10_000
MAX_WAITERS = 100_000
KINDS = {
    "asyncio.locks.Lock": "lock",
    "asyncio.locks.Semaphore": "semaphore",
    "asyncio.locks.Condition": "condition",
    "asyncio.locks.Event": "event",
    "asyncio.queues.Queue": "queue",
}
WAITERS = ("_waiters", "_getters", "_putters")


def read(runtime: Runtime, tasks: list[Task], causes: Causes) -> list[Lock]:
    """A row for each, those that are held first; one that cannot be read is left out."""
    waiting = {task.leaf.address: task.address for task in tasks if task.leaf is not None and task.leaf.lock}
    waited = [task.leaf.lock for task in tasks if task.leaf is not None and task.leaf.lock]
    found = []
    for address in [*dict.fromkeys([*causes.held, *waited])][:MAX_LOCKS]:
        try:
            found.append(_row(runtime, address, causes, waiting))
        except Unreadable:
            continue
    return found


def kind_of(bases: tuple[str, ...]) -> str | None:
    """The kind of a synchronizer by its type's bases; None for any other type."""
    return next((KINDS[base] for base in bases if base in KINDS), None)


def _row(runtime: Runtime, address: int, causes: Causes, waiting: dict[int, int]) -> Lock:
    objects = runtime.objects
    info = objects.type_of(address)
    kind = kind_of(info.bases)
    if kind is None:
        raise Unreadable(address)
    attributes = objects.attributes(address)
    locked, value = _state(runtime, kind, attributes)
    holders = [] if locked is False and kind != "semaphore" else causes.held.get(address, [])
    queues = [attributes[name] for name in WAITERS if name in attributes]
    futures = [future for queue in queues for future in objects.items(queue, MAX_WAITERS)]
    return Lock(
        address=address,
        kind=Word(kind),
        type=type_name(info),
        locked=locked,
        value=value,
        holders=holders,
        holder_known=kind in ("lock", "condition") and (locked is False or bool(holders)),
        waiters=[waiting[future] for future in futures if future in waiting],
    )


def _state(runtime: Runtime, kind: str, attributes: dict[str, int]) -> tuple[bool | None, int | None]:
    """(locked, value) as the snapshot has them."""
    objects = runtime.objects
    if kind == "lock":
        return objects.truth(attributes["_locked"]) if "_locked" in attributes else None, None
    if kind == "event":
        is_set = objects.truth(attributes["_value"]) if "_value" in attributes else None
        return None if is_set is None else not is_set, None
    if kind == "semaphore":
        value = objects.integer(attributes["_value"]) if "_value" in attributes else None
        return None if value is None else value <= 0, value
    if kind == "queue":
        return None, objects.count(attributes["_queue"]) if "_queue" in attributes else None
    lock = objects.attribute(attributes["_lock"], "_locked") if "_lock" in attributes else None
    return objects.truth(lock) if lock else None, None
