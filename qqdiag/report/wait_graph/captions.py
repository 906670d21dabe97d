"""What stands in the boxes of the wait graph: a name, where it is, what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qqdiag.model import Bytes, Say, Seconds
from qqdiag.report.causes import Causes, working_frame
from qqdiag.report.code import code_of, place
from qqdiag.report.drawn import Kind
from qqdiag.report.wait_graph.edges import NO_WORKER, Key
from qqdiag.snapshot import Level, Lock, Loop, Socket, Task, TcpInfo

Caption = tuple[Say, tuple[Say, ...]]


@dataclass(frozen=True)
class Captions:
    """What the captions are made of, beside the graph itself."""

    known: Causes
    age: Callable[[Task], Say | None]
    roles: dict[int, Say]  # of an adapter's tasks
    futures: dict[int, Say]  # by a future's address its type
    lone: set[int]  # tasks without an edge that wait for something which is no node


def caption(source: Captions, key: Key, count: int) -> Caption:
    """The title and the lines of a node that stands for `count` equal things."""
    kind, id = key
    title, lines = _of_kind(source, kind, id, count)
    if count > 1:
        title = Say("{count} x {title}", count=count, title=title)
    return title, lines


def _of_kind(source: Captions, kind: Kind, id: int, count: int) -> Caption:
    known = source.known
    if kind is Kind.TASK:
        return _task(source, known.tasks[id])
    if kind is Kind.LOCK:
        return _lock(known.locks[id])
    if kind is Kind.SOCKET:
        return _socket(id, known.sockets.get(id), count)
    if kind is Kind.THREAD:
        return _thread(known, id, count)
    if kind is Kind.PROCESS:
        return Say("child {pid}", pid=id), (Say("has not ended"),)
    if kind is Kind.LOOP:
        return _loop(next(loop for loop in known.python.loops if loop.address == id))
    return source.futures.get(id, Say("future")), (Say("nothing has completed it"),)


def _task(source: Captions, task: Task) -> Caption:
    lines: list[Say] = []
    if task.address in source.roles:
        lines.append(source.roles[task.address])
    outer = task.chain[0] if task.chain else None
    inner = next((level for level in reversed(task.chain) if level.code is not None), None)
    lines += [_level(source, level) for level in dict.fromkeys([outer, inner]) if level is not None]
    if inner is not None and (where := place(source.known.python, inner)) is not None:
        lines.append(where)
    if task.leaf is not None and task.address in source.lone:
        lines.append(Say("waits for {type}", type=task.leaf.type))
    lines.append(_doing(source, task))
    return Say("{name}", name=task.name), tuple(lines)


def _level(source: Captions, level: Level) -> Say:
    code = code_of(source.known.python, level)
    return Say("{name}", name=code.qualname if code else level.name)


def _doing(source: Captions, task: Task) -> Say:
    """`running`, `sleeps, timer in 12.5 s`, `waits, for at least 1.0 s`."""
    leaf, state = task.leaf, task.state
    if leaf is None or state.reveal() != "pending":
        return Say("{state}", state=state)
    if leaf.kind.reveal() == "nothing":
        return Say("ready to run")
    if leaf.deadline_at is not None:
        left = leaf.deadline_at - source.known.python.taken_at
        sleeps = Say("sleeps") if leaf.kind.reveal() == "timer" else Say("waits")
        if left < 0:
            return Say("{sleeps}, timer {late} overdue", sleeps=sleeps, late=Seconds(-left))
        return Say("{sleeps}, timer in {left}", sleeps=sleeps, left=Seconds(left))
    age = source.age(task)
    return Say("waits") if age is None else age


def _lock(lock: Lock) -> Caption:
    waiting = Say("{count} waiting", count=len(lock.waiters))
    kind = lock.kind.reveal()
    title = Say("{type}", type=lock.type)
    if kind == "event":
        return title, (Say("not set"), waiting)
    if kind == "queue":
        return title, (Say("items: {count}", count=lock.value or 0), waiting)
    if kind == "condition":
        return title, (Say("not notified"), waiting)
    if lock.locked is False:
        return title, (Say("free"), waiting)
    return title, (Say("taken") if lock.holders else Say("taken, holder not known"), waiting)


def _socket(fd: int, row: Socket | None, count: int) -> Caption:
    if row is None:
        return (Say("descriptor") if count > 1 else Say("fd {fd}", fd=fd)), ()
    title = Say("{protocol} {state}", protocol=row.protocol, state=row.state)
    if count == 1:
        title = Say("fd {fd}, {title}", fd=fd, title=title)
    lines: list[Say] = []
    if row.remote is not None and row.remote.reveal():
        peer = Say("{address}", address=row.remote)
        lines.append(Say("to {peer}:{port}", peer=peer, port=row.remote_port or 0) if row.remote_port else peer)
    if isinstance(row.tcp, TcpInfo) and count == 1:
        lines.append(Say("received {age} ago", age=Seconds(row.tcp.last_data_received)))
    queues = Bytes(row.receive_queue or 0), Bytes(row.send_queue or 0)
    if count == 1 and any(queues):
        lines.append(Say("{unread} unread, {unsent} unsent", unread=queues[0], unsent=queues[1]))
    return title, tuple(lines)


def _thread(known: Causes, id: int, count: int) -> Caption:
    if id == NO_WORKER:
        return Say("no free worker"), (Say("no thread has begun the job"),)
    lines = [known.names[id]] if id in known.names and count == 1 else []
    frame = working_frame(known, id)
    code = code_of(known.python, frame) if frame else None
    if frame is not None and code is not None:
        lines.append(Say("in {name}", name=code.qualname))
        where = place(known.python, frame)
        lines += [where] if where else []
    return (Say("thread") if count > 1 else Say("thread {tid}", tid=id)), tuple(lines)


def _loop(loop: Loop) -> Caption:
    title = Say("event loop") if loop.thread is None else Say("event loop, thread {tid}", tid=loop.thread)
    return title, (Say("cannot turn: a task runs"),)
