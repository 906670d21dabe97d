"""The wait graph over a snapshot: who waits for whom, what will wake it, and did it move between the samples."""

from __future__ import annotations

from functools import lru_cache

from qqdiag.model import Missing, Say, Word
from qqdiag.snapshot import (
    Code,
    Frame,
    Gateway,
    Level,
    Logs,
    Loop,
    Python,
    Sample,
    Snapshot,
    Socket,
    Sockets,
    Task,
    WebSocket,
)
from qqdiag.waits.graph import Graph
from qqdiag.waits.this_run import logs_of_this_run

ONE_SAMPLE = Missing(
    Say("only one sample was taken, and this needs to see whether anything moves"),
    Say("inspect it live with an interval, for example --interval 1"),
)

STOPPED = Missing(
    Say("the process is stopped by a signal or a tracer, and a stopped process stands still everywhere"),
    Say("let it go on, then look again: kill -CONT PID"),
)


TORN = Missing(
    Say("parts of its memory changed while they were read, so that a task may have been missed"),
    Say("inspect it again, with a pause"),
)

NOT_IN_CORE = Missing(
    Say("memory that was needed is not in the core, so that a task may have been missed"),
    Say("give it the files of its process: qqdiag inspect CORE --sysroot FOLDER"),
)

TOO_MUCH = Missing(
    Say("its tasks hold more objects than are looked at, so that who holds a WebSocket may have been missed"),
    Say("read the await trees yourself: qqdiag inspect --raw PID"),
)


class View:
    """A snapshot with its indexes, made once and shared by all signatures.

    `last` is the sample that is judged, `earlier` the one before it, if there is one. `logs` are those of the snapshot
    with the events of this run alone. Tables of a section that is Missing are empty: a signature asks `lacks` first, so
    that empty never means unknown.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.last: Sample = snapshot.samples[-1]
        self.earlier: Sample | None = snapshot.samples[-2] if len(snapshot.samples) > 1 else None
        self.logs: Logs | Missing | None = logs_of_this_run(snapshot)
        self.python = _python(self.last)
        self.before = _python(self.earlier)
        self.now = self.python.taken_at if self.python else self.last.taken_at
        self.interval = self.python.taken_at - self.before.taken_at if self.python and self.before else 0.0
        self.graph = Graph(self.python)
        self.graph_before = Graph(self.before)
        self.tasks = self.graph.tasks
        self.tasks_before = self.graph_before.tasks
        self.loops: dict[int, Loop] = {loop.address: loop for loop in self.python.loops} if self.python else {}
        self.sockets: dict[int, Socket] = _sockets(self.last)
        self.sockets_before: dict[int, Socket] = _sockets(self.earlier)
        gateway = self.last.gateway
        self.websockets: list[WebSocket] = gateway.websockets if isinstance(gateway, Gateway) else []

    def lacks(self, *sections: str) -> tuple[Missing, ...]:
        """Why the named sections of the last sample are not there; empty when all are."""
        values = [getattr(self.last, section) for section in sections]
        return tuple(value for value in values if isinstance(value, Missing))

    def code(self, part: Level | Frame) -> Code | None:
        """The code object of a level or frame of the last sample."""
        return code_of(self.python, part)

    @property
    def torn(self) -> tuple[Missing, ...]:
        """Why something that is not in a sample's tasks may have been there; empty when they are all there."""
        gateways = [one.gateway for one in (self.last, self.earlier) if one and isinstance(one.gateway, Gateway)]
        torn = any(not python.complete for python in (self.python, self.before) if python)
        if torn:
            return (NOT_IN_CORE,) if self.snapshot.origin == Word("core") else (TORN,)
        return (TOO_MUCH,) if any(gateway.truncated for gateway in gateways) else ()

    @property
    def stopped(self) -> bool:
        """Whether the process was stopped by a signal or a tracer: nothing moves then, and that proves nothing."""
        process = self.last.process
        return not isinstance(process, Missing) and process.state.reveal() in ("T", "t")


def _python(sample: Sample | None) -> Python | None:
    return sample.python if sample is not None and isinstance(sample.python, Python) else None


def _sockets(sample: Sample | None) -> dict[int, Socket]:
    table = sample.sockets if sample is not None else None
    return {row.fd: row for row in table.rows} if isinstance(table, Sockets) else {}


def code_of(python: Python | None, part: Level | Frame) -> Code | None:
    if python is None or part.code is None or not 0 <= part.code < len(python.codes):
        return None
    return python.codes[part.code]


def function(view: View, level: Level) -> tuple[str, str]:
    """Where a level runs: the path of its code and its qualname; empty texts where it has none."""
    code = view.code(level)
    if code is None:
        return "", level.name.reveal()
    return code.path.reveal(), code.qualname.reveal()


def innermost_at(view: View, levels: list[Level], places: tuple[tuple[str, str], ...]) -> Level | None:
    """The innermost level that is one of the functions, each given by the end of its path and its qualname."""
    ends = _ends(places)
    for level in reversed(levels):
        path, name = function(view, level)
        if name in ends and ("/" + path).endswith(ends[name]):
            return level
    return None


@lru_cache
def _ends(places: tuple[tuple[str, str], ...]) -> dict[str, tuple[str, ...]]:
    """By qualname the ends of the paths that are meant: each level of each task asks."""
    return {name: tuple("/" + path for path, same in places if same == name) for _, name in places}


def still(view: View, task: Task) -> bool | None:
    """Whether task, coroutine, waiter and each level's instruction are the same in both samples.

    None with one sample. A freed coroutine's address is soon used again, so that a task which makes the same step
    over and over looks still: who uses this also asks whether bytes moved.
    """
    if not view.tasks_before:
        return None
    before = view.tasks_before.get(task.address)
    return before is not None and _position(before) == _position(task)


def _position(task: Task) -> tuple[object, ...]:
    levels = tuple((level.address, level.offset) for level in task.chain)
    return task.coroutine, task.waiter, levels, task.leaf.address if task.leaf else None


def has_level(view: View, task: Task, level: Level) -> bool | None:
    """Whether this very level was already in the task's chain in the earlier sample; None with one sample."""
    if not view.tasks_before:
        return None
    before = view.tasks_before.get(task.address)
    return before is not None and any(level.address == other.address for other in before.chain)
