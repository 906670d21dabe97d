"""Tasks, what they wait for, and the loops that run them."""

from __future__ import annotations

import msgspec

from qqdiag.model import CodePath, Name, Say, TaskName, Word


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an await chain."""

    kind: Word  # coroutine generator async-generator cython wrapper future task awaitable
    address: int
    name: Name  # its own qualname, or its type
    code: int | None = None
    line: int | None = None
    offset: int | None = None  # of the current instruction, in bytes
    suspended: bool = True


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """What the innermost level waits for."""

    # future task gather shield wait timer lock event condition semaphore queue executor process unknown nothing
    kind: Word
    address: int
    type: Name
    state: Word  # pending cancelled finished unknown
    task: int | None = None  # the task, where the leaf is one or a lock's holder is known
    children: list[int] = []  # of a gather: the tasks and futures it waits for
    fd: int | None = None
    writable: bool | None = None  # it waits until the fd takes (True) or has (False) bytes; None: not known, or no fd
    deadline_at: float | None = None  # the timer that will complete it
    began_at: float | None = None  # when the wait began: the timer's time less the delay that it was set with
    lock: int | None = None  # the Lock of `Python.locks` that it waits at
    thread: int | None = None  # native id of the thread whose frames work on it
    job: Word | None = None  # of an executor: pending (no thread has begun it), running …
    pong: int | None = None  # the WebSocket whose PONG it is, where somebody waits for the answer to a PING
    process: int | None = None  # pid of the child whose end it waits for, in the target's own pid namespace


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A synchronizer of asyncio that a task holds or waits at. None keeps its owner: see cpython/held.py."""

    address: int
    kind: Word  # lock semaphore condition event queue
    type: Name
    locked: bool | None  # whether who comes now must wait; None: depends on what it does (condition, queue)
    value: int | None = None  # semaphore: how many may still enter; queue: items in it
    holders: list[int] = []  # the tasks inside an `async with` of it
    holder_known: bool = False  # False: somebody may hold it by a plain `await lock.acquire()`
    waiters: list[int] = []  # tasks, in the order in which they will be let in


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A line of code."""

    path: CodePath
    line: int
    name: Name  # of the function, without its class


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One asyncio task."""

    address: int
    name: TaskName
    type: Name
    state: Word  # pending running finished cancelled failed
    loop: int
    coroutine: int
    waiter: int | None  # task_fut_waiter
    chain: list[Level] = []  # outermost first
    leaf: Leaf | None = None
    exception: Name | None = None  # its type, when failed
    exception_fetched: bool | None = None  # None: not failed, or not known
    awaiters: list[int] = []  # the tasks that wait for it
    cancelling: int = 0  # cancel requests counted (3.11+), at least 1 when one must still be delivered
    awaited_by: list[int] | None = None  # tasks and futures, as the interpreter itself keeps them; None before 3.14
    started: list[int] = []  # tasks in its open TaskGroups, and (3.14+) what else it awaits beside what it stands at
    created: Place | None = None  # who called create_task and the like: kept in debug mode or by an aiomonitor
    creator: int | None = None  # the task that did, and created_at when: kept by an aiomonitor alone
    created_at: float | None = None
    truncated: bool = False
    doubts: list[Say] = []


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """A pending call_at; cancelled ones are left out."""

    when_at: float
    callback: Name
    wakes: list[int] = []  # tasks and futures that it completes or cancels


class Transport(msgspec.Struct, frozen=True, kw_only=True):
    """A transport of a selector loop (`loop._transports`), and what sits on it."""

    fd: int
    address: int
    type: Name
    protocol: Name  # the innermost application protocol's type, through TLS
    protocol_address: int
    tls: bool
    reading_paused: bool | None
    writing_paused: bool | None  # the protocol was told to pause
    buffered: int | None  # bytes in its write buffer
    closing: bool | None
    websocket_reader: bool | None  # its protocol parses WebSocket frames (aiohttp)


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """One event loop."""

    address: int
    type: Name
    thread: int | None  # native id of the thread that runs it
    running: bool
    current_task: int | None
    ready: int | None  # callbacks in the ready queue; None: opaque (uvloop)
    timers: list[Timer] = []
    epoll_fd: int | None
    transports: list[Transport] = []
    opaque: bool = False
