"""What a task waits for and who would wake it, in one line: a lock and its holders, a thread, a child, a socket."""

from __future__ import annotations

from dataclasses import dataclass, field

from qqdiag.model import Address, Say, Seconds
from qqdiag.report.code import code_of
from qqdiag.snapshot import Frame, Leaf, Lock, Process, Python, PyThread, Sample, Socket, Sockets, Task, TcpInfo

_MOST_NAMES = 3
# Frames that every worker thread waits or works in, and that say nothing of the job.
_SUPPORT = ("/threading.py", "/concurrent/futures/thread.py", "/queue.py")


@dataclass
class Causes:
    """What the leaves of one sample refer to, by their ids."""

    python: Python
    tasks: dict[int, Task]
    locks: dict[int, Lock]
    threads: dict[int | None, PyThread]
    sockets: dict[int, Socket]
    timed: set[int]  # what a timer completes or cancels
    names: dict[int, Say] = field(default_factory=dict)  # of threads


def causes(sample: Sample, python: Python) -> Causes:
    """The indexes of a sample; what it lacks is empty."""
    rows = sample.sockets.rows if isinstance(sample.sockets, Sockets) else []
    kernel = sample.process.threads if isinstance(sample.process, Process) else []
    names = {thread.tid: Say("{name}", name=thread.name) for thread in kernel}
    names |= {
        thread.native_id: Say("{name}", name=thread.name)
        for thread in python.threads
        if thread.name is not None and thread.native_id is not None
    }
    return Causes(
        python,
        {task.address: task for task in python.tasks},
        {lock.address: lock for lock in python.locks},
        {thread.native_id: thread for thread in python.threads},
        {row.fd: row for row in rows},
        {address for loop in python.loops for timer in loop.timers for address in timer.wakes},
        names,
    )


def switches(sample: Sample) -> dict[int, tuple[int, int]]:
    """By native id: how often a thread has given up the processor and been taken it away, as the kernel counts."""
    rows = sample.process.threads if isinstance(sample.process, Process) else []
    return {row.tid: (row.voluntary_switches, row.involuntary_switches) for row in rows}


def cause(known: Causes, leaf: Leaf, fd: int | None) -> Say | None:
    """What the leaf waits for, but for tasks and timers; None where its kind says it all.

    `fd`: of the leaf, or of the WebSocket that the task reads.
    """
    kind = leaf.kind.reveal()
    if kind == "process" and leaf.process is not None:
        return Say("waits for child process {pid} to end", pid=leaf.process)
    if kind == "executor":
        return _job(known, leaf)
    if leaf.thread is not None:
        return Say("waits for {thread}", thread=_thread(known, leaf.thread))
    if fd is not None and kind in ("future", "event", "condition", "wait", "shield"):
        return _descriptor(known, fd, leaf)
    lock = known.locks.get(leaf.lock) if leaf.lock is not None else None
    if lock is not None:
        return _synchronizer(known, lock, kind)
    return None


def _synchronizer(known: Causes, lock: Lock, kind: str) -> Say:
    if kind == "event":
        return Say("waits for an {type} to be set", type=lock.type)
    if kind == "condition":
        return Say("waits for a {type} to be notified", type=lock.type)
    if kind == "queue":
        if not lock.value:
            return Say("waits for an item in a {type}, which is empty", type=lock.type)
        return Say("waits for room in a {type} (items: {count})", type=lock.type, count=lock.value)
    if lock.locked is False:
        return Say("waits for a {type} that is free: it is about to get it", type=lock.type)
    if not lock.holders:
        return Say("waits for a {type} whose holder is not known (a plain acquire)", type=lock.type)
    return Say("waits for a {type} held by {names}", type=lock.type, names=names_of(known, lock.holders))


def names_of(known: Causes, tasks: list[int]) -> Say:
    """`Task-1, Task-2, Task-3 and 4 more`."""
    named = [known.tasks[address].name for address in tasks[:_MOST_NAMES] if address in known.tasks]
    text = Say("a task") if len(tasks) == 1 else Say("{count} tasks", count=len(tasks))
    for index, name in enumerate(named):
        text = Say("{before}, {name}", before=text, name=name) if index else Say("{name}", name=name)
    hidden = len(tasks) - len(named)
    return Say("{names} and {count} more", names=text, count=hidden) if named and hidden else text


def _job(known: Causes, leaf: Leaf) -> Say:
    if leaf.thread is not None:
        return Say("waits for a job in {thread}", thread=_thread(known, leaf.thread))
    job = leaf.job.reveal() if leaf.job is not None else None
    if leaf.task is not None and leaf.task in known.tasks:
        return Say("waits for {name} in the loop of another thread", name=known.tasks[leaf.task].name)
    if job == "pending":
        return Say("waits for a job that no worker has begun")
    if leaf.job is None:
        return Say("waits for a job of an executor")
    return Say("waits for a job of an executor ({job})", job=leaf.job)


def _thread(known: Causes, native_id: int) -> Say:
    text = Say("thread {tid}", tid=native_id)
    if native_id in known.names:
        text = Say("{text} {name}", text=text, name=known.names[native_id])
    frame = working_frame(known, native_id)
    code = code_of(known.python, frame) if frame else None
    if frame is None or code is None:
        return text
    if frame.line is None:
        return Say("{text}, in {function}", text=text, function=code.qualname)
    where = Say("{path}:{line}", path=code.path, line=frame.line)
    return Say("{text}, in {function} at {where}", text=text, function=code.qualname, where=where)


def working_frame(known: Causes, native_id: int) -> Frame | None:
    """The innermost frame of a thread that says something of what it does."""
    thread = known.threads.get(native_id)
    for frame in thread.frames if thread else []:
        code = code_of(known.python, frame)
        if code is not None and not code.path.reveal().endswith(_SUPPORT):
            return frame
    return None


def _descriptor(known: Causes, fd: int, leaf: Leaf) -> Say:
    text = Say("fd {fd}", fd=fd)
    row = known.sockets.get(fd)
    if row is not None and row.remote is not None and row.remote.reveal():
        text = Say("{text} ({peer})", text=text, peer=_peer(row.remote, row.remote_port))
    if leaf.writable is None:
        return Say("waits for {text}", text=text)
    if leaf.writable:
        return Say("waits for {text} to take more bytes", text=text)
    if leaf.pong is not None:
        text = Say("waits for the answer to the PING that was sent on the WebSocket of {text}", text=text)
    else:
        text = Say("waits for {text} to have bytes to read", text=text)
    if row is not None and isinstance(row.tcp, TcpInfo):
        return Say("{text} (the kernel had its last {age} ago)", text=text, age=Seconds(row.tcp.last_data_received))
    return text


def _peer(address: Address, port: int | None) -> Say:
    return Say("{address}", address=address) if not port else Say("{address}:{port}", address=address, port=port)
