"""What the end of a chain is: which kind of future, who will complete it, by when."""

from __future__ import annotations

from qqdiag.cpython import callbacks, frames
from qqdiag.cpython.chains import Chain, type_name
from qqdiag.cpython.futures import UNKNOWN, Fields, fields
from qqdiag.cpython.futures import callbacks as callbacks_of
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name, Word
from qqdiag.snapshot import Leaf, Timer

MAX_CHILDREN = 100_000
GATHERING = "asyncio.tasks._GatheringFuture"
# The coroutine that awaits a synchronizer's future, by its class and method, and what the leaf is then.
SYNCHRONIZERS = {
    "Lock.acquire": "lock",
    "Semaphore.acquire": "semaphore",
    "Event.wait": "event",
    "Condition.wait": "condition",
    "Queue.get": "queue",
    "Queue.put": "queue",
    "Queue.join": "queue",
}
SYNCHRONIZER_MODULES = ("asyncio.locks", "asyncio.queues")


def deadlines(timers: list[Timer]) -> dict[int, float]:
    """By future or task: when the soonest timer touches it."""
    found: dict[int, float] = {}
    for timer in sorted(timers, key=lambda timer: timer.when_at):
        for address in timer.wakes:
            found.setdefault(address, timer.when_at)
    return found


def leaf(runtime: Runtime, chain: Chain, deadline: dict[int, float]) -> Leaf | None:
    """The leaf of a suspended chain; None when it has no level."""
    if not chain.levels:
        return None
    last = chain.levels[-1]
    if not chain.end:
        kind = "unknown" if last.kind.reveal() == "awaitable" or chain.doubts else "nothing"
        return Leaf(kind=Word(kind), address=last.address, type=last.name, state=Word(UNKNOWN))
    try:
        future = fields(runtime, chain.end)
        kind, task, children, fd = _kind(runtime, chain, future, deadline)
    except Unreadable:
        return Leaf(kind=Word("unknown"), address=last.address, type=last.name, state=Word(UNKNOWN))
    return Leaf(
        kind=Word(kind),
        address=chain.end,
        type=type_name(future.info),
        state=Word(future.state),
        task=task,
        children=children,
        fd=fd,
        deadline_at=deadline.get(chain.end),
    )


Kind = tuple[str, int | None, list[int], int | None]


def _kind(runtime: Runtime, chain: Chain, future: Fields, deadline: dict[int, float]) -> Kind:
    """(kind, task, children, fd) of the future at the end of a chain."""
    if future.info.is_task:
        return "task", future.address, [], None
    if GATHERING in future.info.bases:
        children = runtime.objects.attribute(future.address, "_children")
        return "gather", None, runtime.objects.items(children, MAX_CHILDREN) if children else [], None
    found = _by_callbacks(runtime, future) or _by_waiting_frame(runtime, chain)
    if found is not None:
        return found
    return ("timer" if future.address in deadline else "future"), None, [], None


def _by_callbacks(runtime: Runtime, future: Fields) -> Kind | None:
    """What the callbacks on the future say: a shield, a job of an executor, a socket operation."""
    for callback in callbacks_of(runtime, future):
        if runtime.objects.type_of(callback).dotted not in ("builtins.function", callbacks.PARTIAL):
            continue  # the wakeup of a task, most often
        name = callbacks.name(runtime, callback).reveal()
        if name == "shield.<locals>._outer_done_callback":
            inner = callbacks.closure(runtime, callback, "inner")
            tasks = [item for item in inner if runtime.objects.type_of(item).is_task]
            return "shield", tasks[0] if tasks else None, _futures(runtime, inner), None
        if name == "_chain_future.<locals>._call_check_cancel":
            return "executor", None, [], None
        if name.endswith(("._sock_read_done", "._sock_write_done")):
            return "future", None, [], _descriptor(runtime, callback)
    return None


def _futures(runtime: Runtime, addresses: list[int]) -> list[int]:
    found = []
    for address in addresses:
        try:
            fields(runtime, address)
        except Unreadable:
            continue
        found.append(address)
    return found


def _descriptor(runtime: Runtime, callback: int) -> int | None:
    """The fd that `functools.partial(loop._sock_read_done, fd, …)` was made with (Lib/asyncio/selector_events.py)."""
    objects = runtime.objects
    if objects.type_of(callback).dotted != callbacks.PARTIAL:
        return None
    arguments = objects.items(objects.read_word(callback + runtime.layout.partial_args), 1)
    return objects.integer(arguments[0]) if arguments else None


def _by_waiting_frame(runtime: Runtime, chain: Chain) -> Kind | None:
    """What the innermost coroutine of asyncio is, where its locals say what the future stands for."""
    level = next((level for level in reversed(chain.levels) if level.code is not None), None)
    if level is None or level.kind.reveal() != "coroutine":
        return None
    return _of_frame(runtime, level.address, level.name)


def _of_frame(runtime: Runtime, address: int, name: Name) -> Kind | None:
    objects, qualname = runtime.objects, name.reveal()
    if qualname == "_wait":
        tasks = frames.locals_of(runtime, address).get("fs")
        return "wait", None, objects.items(tasks, MAX_CHILDREN) if tasks else [], None
    if qualname == "wait_for":  # up to 3.11 it waits for a future of its own, beside the task that it made
        inner = frames.locals_of(runtime, address).get("fut")
        return ("task", inner, [], None) if inner and objects.type_of(inner).is_task else None
    if qualname in ("TaskGroup.__aexit__", "TaskGroup._aexit"):  # since 3.14 the one calls the other
        group = frames.locals_of(runtime, address).get("self")
        tasks = objects.attribute(group, "_tasks") if group else None
        return "gather", None, objects.items(tasks, MAX_CHILDREN) if tasks else [], None
    kind = SYNCHRONIZERS.get(qualname)
    owner = frames.locals_of(runtime, address).get("self") if kind else None
    if kind is None or owner is None or objects.type_of(owner).module not in SYNCHRONIZER_MODULES:
        return None
    return kind, None, [], None
