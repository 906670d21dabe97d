"""What the end of a chain is: which kind of future, who will complete it, by when."""

from __future__ import annotations

import functools

import msgspec

from qqdiag.cpython import callbacks, descriptors, frames, held, locks, uvloop_handles, workers
from qqdiag.cpython.causes import Causes
from qqdiag.cpython.chains import Chain, type_name
from qqdiag.cpython.futures import UNKNOWN, Fields, fields
from qqdiag.cpython.futures import callbacks as callbacks_of
from qqdiag.cpython.pongs import Pong
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.model import Word
from qqdiag.snapshot import Leaf, Level, Timer

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
RELEASED = ("lock", "semaphore")  # what a holder's leaving wakes
WATCHED = ("future", "event", "condition", "wait", "shield")  # what a library may wait in for its socket
# Other coroutines of asyncio whose locals say what they wait for; of a process the attribute that holds its pid.
FRAMES = {
    "_wait": "",
    "wait_for": "",
    "TaskGroup.__aexit__": "",
    "TaskGroup._aexit": "",
    "BaseSubprocessTransport._wait": "_pid",
    "Process.wait": "pid",
}


def deadlines(timers: list[Timer]) -> dict[int, float]:
    """By future or task: when the soonest timer touches it."""
    found: dict[int, float] = {}
    for timer in sorted(timers, key=lambda timer: timer.when_at):
        for address in timer.wakes:
            found.setdefault(address, timer.when_at)
    return found


class Cause(msgspec.Struct, gc=False):
    """Why a future is not done: the fields of `Leaf` that say it."""

    kind: str
    task: int | None = None
    children: list[int] = []
    fd: int | None = None
    writable: bool | None = None
    lock: int | None = None
    thread: int | None = None
    job: str | None = None
    process: int | None = None
    pong: int | None = None


@functools.cache
def _word(kind: str) -> Word:
    return Word(kind)


def leaf(runtime: Runtime, chain: Chain, causes: Causes) -> Leaf | None:
    """The leaf of a suspended chain; None when it has no level."""
    if not chain.levels:
        return None
    last = chain.levels[-1]
    if not chain.end:
        kind = "unknown" if last.kind.reveal() == "awaitable" or chain.doubts else "nothing"
        return Leaf(kind=Word(kind), address=last.address, type=last.name, state=Word(UNKNOWN))
    try:
        future = fields(runtime, chain.end)
        cause = _cause(runtime, chain, future, causes)
    except Unreadable:
        return Leaf(kind=Word("unknown"), address=last.address, type=last.name, state=Word(UNKNOWN))
    return Leaf(
        kind=_word(cause.kind),
        address=chain.end,
        type=type_name(future.info),
        state=_word(future.state),
        task=cause.task,
        children=cause.children,
        fd=cause.fd,
        writable=cause.writable,
        deadline_at=causes.deadline.get(chain.end),
        lock=cause.lock,
        thread=cause.thread,
        job=Word(cause.job) if cause.job else None,
        process=cause.process,
        pong=cause.pong,
    )


def _cause(runtime: Runtime, chain: Chain, future: Fields, causes: Causes) -> Cause:
    """What the future at the end of a chain is, and who completes it."""
    if future.info.is_task:
        return Cause("task", future.address)
    if GATHERING in future.info.bases:
        children = runtime.objects.attribute(future.address, "_children")
        return Cause("gather", children=runtime.objects.items(children, MAX_CHILDREN) if children else [])
    found = _by_callbacks(runtime, future, causes) or _by_waiting_frame(runtime, chain, causes)
    if found is None and future.address in causes.deadline:
        return _timed(runtime, chain)
    found = found or Cause("future")
    if found.kind in WATCHED and found.fd is None:
        _watch(runtime, chain, future, causes, found)
    return found


def _timed(runtime: Runtime, chain: Chain) -> Cause:
    """A sleep, or a wait for a socket with a time limit: a TLS handshake is one."""
    watched = descriptors.of_levels(runtime, chain.levels, 1)
    return Cause("timer") if watched is None else Cause("future", fd=watched.fd, writable=watched.writable)


def _watch(runtime: Runtime, chain: Chain, future: Fields, causes: Causes, cause: Cause) -> None:
    """The fd that a library waits for; where there is none, the thread that works on the future."""
    watched = descriptors.of_levels(runtime, chain.levels)
    if watched is None and cause.kind == "future":
        found = uvloop_handles.of_future(runtime, future.address, future.info)
        watched = descriptors.Watched(*found) if found else causes.watched.get(future.address)
    if watched is not None:
        cause.fd, cause.writable = watched
    elif cause.kind in ("future", "shield") and (pong := _pong(causes, future.address, *cause.children)) is not None:
        cause.fd, cause.writable, cause.pong = pong.fd, False, pong.websocket
    elif cause.kind == "future":
        cause.thread = causes.workers.get(future.address)


def _pong(causes: Causes, *futures: int) -> Pong | None:
    """The PING whose answer completes one of these: the future itself, or the one that it shields."""
    return next((causes.pongs[future] for future in futures if future in causes.pongs), None)


def _by_callbacks(runtime: Runtime, future: Fields, causes: Causes) -> Cause | None:
    """What the callbacks on the future say: a shield, a job of an executor, a socket operation."""
    for callback in callbacks_of(runtime, future):
        if runtime.objects.type_of(callback).dotted not in ("builtins.function", callbacks.PARTIAL):
            continue  # the wakeup of a task, most often
        name = callbacks.name(runtime, callback).reveal()
        if name == "shield.<locals>._outer_done_callback":
            inner = callbacks.closure(runtime, callback, "inner")
            tasks = [item for item in inner if runtime.objects.type_of(item).is_task]
            return Cause("shield", tasks[0] if tasks else None, _futures(runtime, inner))
        if name == workers.CHAINED:
            return _job(runtime, callback, causes)
        if name.endswith(("._sock_read_done", "._sock_write_done")):
            fd = _descriptor(runtime, callback)
            return Cause("future", fd=fd, writable=name.endswith("._sock_write_done") if fd is not None else None)
    return None


def _job(runtime: Runtime, callback: int, causes: Causes) -> Cause:
    """The job of an executor, or of another thread's loop."""
    job = workers.source(runtime, callback)
    if job is None:
        return Cause("executor")
    task = workers.task(runtime, job)
    return Cause("executor", task, job=workers.state(runtime, job), thread=causes.workers.get(job))


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


def _by_waiting_frame(runtime: Runtime, chain: Chain, causes: Causes) -> Cause | None:
    """What the innermost coroutine of asyncio is, where its locals say what the future stands for."""
    for level in reversed(chain.levels):
        if level.code is not None:
            break
    else:
        return None
    if level.kind.reveal() != "coroutine":
        return None
    qualname = level.name.reveal()
    if qualname in SYNCHRONIZERS:
        return _synchronizer(runtime, level, SYNCHRONIZERS[qualname], causes)
    return _of_frame(runtime, level.address, qualname, causes) if qualname in FRAMES else None


def _synchronizer(runtime: Runtime, level: Level, kind: str, causes: Causes) -> Cause | None:
    """A lock and its holder, where one alone holds it; an event, a queue."""
    owner = held.own(runtime, level)
    if not owner or locks.kind_of(runtime.objects.type_of(owner).bases) is None:
        return None
    holders = causes.held.get(owner, []) if kind in RELEASED else []
    return Cause(kind, holders[0] if len(holders) == 1 else None, lock=owner)


def _of_frame(runtime: Runtime, address: int, qualname: str, causes: Causes) -> Cause | None:
    objects, found = runtime.objects, frames.locals_of(runtime, address)
    if qualname == "_wait":
        tasks = found.get("fs")
        return Cause("wait", children=objects.items(tasks, MAX_CHILDREN) if tasks else [])
    if qualname == "wait_for":  # up to 3.11 it waits for a future of its own, beside the task that it made
        inner = found.get("fut")
        if inner and (pong := _pong(causes, inner)) is not None:
            return Cause("future", fd=pong.fd, writable=False, pong=pong.websocket)
        return Cause("task", inner) if inner and objects.type_of(inner).is_task else None
    owner = found.get("self")
    if qualname in ("TaskGroup.__aexit__", "TaskGroup._aexit"):  # since 3.14 the one calls the other
        tasks = objects.attribute(owner, "_tasks") if owner else None
        return Cause("gather", children=objects.items(tasks, MAX_CHILDREN) if tasks else [])
    pid = objects.attribute(owner, FRAMES[qualname]) if owner else None
    return Cause("process", process=objects.integer(pid)) if pid else None
