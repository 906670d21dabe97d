"""Who holds a WebSocket or an adapter, who reads it and who sends on it: from the frames of tasks and threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from qqdiag.collect.reach import Reach
from qqdiag.cpython.frames import RawFrame, frame_at, frame_of, locals_of
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.profiles import websocket_shapes
from qqdiag.snapshot import RECEIVES, SENDS, Code, Python, PyThread, Task

HOPS = 2  # a local's attribute's attribute: self.connection.ws
ENOUGH = 32  # frames of one code object that held nothing: the next hold nothing either


@dataclass(slots=True)
class Holding:
    """What is known of one object of interest while the frames are walked."""

    holders: set[int] = field(default_factory=set)
    readers: set[int] = field(default_factory=set)
    periods: set[float] = field(default_factory=set)


@dataclass(slots=True)
class Use:
    """What a code object does with a WebSocket, and whether its frames are worth a look."""

    receives: bool
    sends: bool
    library: bool  # a WebSocket library's own
    skipped: bool  # asyncio's own: it holds nothing that its caller does not
    looks: int = 0
    found: bool = False

    @property
    def worth(self) -> bool:
        direct = self.receives or self.sends or self.library or self.found
        return not self.skipped and (direct or self.looks < ENOUGH)


def holders(reach: Reach, python: Python) -> dict[int, Holding]:
    """By the address of each object of interest that the frames lead to."""
    held: dict[int, Holding] = {}
    libraries = list(dict.fromkeys(f"/{shape.code}" for shape in websocket_shapes()))
    uses = [_use(code, libraries) for code in python.codes]
    for task in python.tasks:
        if task.state.reveal() in ("pending", "running"):
            _task(reach, python, uses, task, held)
    for address in _from_threads(reach, python):
        held.setdefault(address, Holding())
    return held


def _use(code: Code, libraries: list[str]) -> Use:
    calls = {call.reveal() for call in code.calls} | {code.name.reveal()}
    path = code.path.reveal()
    return Use(
        receives=bool(calls & RECEIVES),
        sends=bool(calls & SENDS),
        library=any(code in path for code in libraries),
        skipped="/asyncio/" in path and "/site-packages/" not in path,
    )


def _task(reach: Reach, python: Python, uses: list[Use], task: Task, held: dict[int, Holding]) -> None:
    """Note what the task's frames hold, and how they use it."""
    sending: set[int] = set()
    for use, frame in _frames(reach.runtime, uses, task):
        for address in _of_frame(reach, frame):
            known = held.setdefault(address, Holding())
            known.holders.add(task.address)
            use.found = True
            if use.receives or _iterates(reach, frame, address):
                known.readers.add(task.address)
            if use.sends:
                sending.add(address)
    period = _sleep(reach.runtime, python, task) if sending else None
    for address in sending if period else ():
        if period and task.address not in held[address].readers:
            held[address].periods.add(period)


def _frames(runtime: Runtime, uses: list[Use], task: Task) -> Iterator[tuple[Use, RawFrame]]:
    """The Python frames of a task's chain that are worth a look."""
    for level in task.chain:
        use = uses[level.code] if level.code is not None else None
        if use is None or not use.worth:
            continue
        use.looks += 1
        try:
            frame = frame_of(runtime, level.address)
        except Unreadable:
            continue  # the chain itself says so
        if frame is not None:
            yield use, frame


def _of_frame(reach: Reach, frame: RawFrame) -> frozenset[int]:
    try:
        return reach.of_frame(frame, HOPS)
    except Unreadable:
        return frozenset()


def _iterates(reach: Reach, frame: RawFrame, websocket: int) -> bool:
    """Whether the frame is in `async for … in websocket`: the value stack holds it, or its asynchronous generator."""
    for value in reach.stack(frame):
        try:
            if value == websocket:
                return True
            generator = reach.runtime.objects.is_a(value, "builtins.async_generator")
            inner = frame_of(reach.runtime, value) if generator else None
            if inner is not None and websocket in reach.of_frame(inner, 0):
                return True
        except Unreadable:
            continue
    return False


def _sleep(runtime: Runtime, python: Python, task: Task) -> float | None:
    """The delay of the asyncio.sleep() or wait_for() that the task is in (Lib/asyncio/tasks.py)."""
    for level in reversed(task.chain):
        code = python.codes[level.code] if level.code is not None else None
        name = code.name.reveal() if code is not None else ""
        if code is None or name not in ("sleep", "wait_for") or not code.path.reveal().endswith("asyncio/tasks.py"):
            continue
        try:
            values = locals_of(runtime, level.address)
            value = values.get("delay") or values.get("timeout")
            return runtime.objects.number(value) if value else None
        except Unreadable:
            return None
    return None


def _from_threads(reach: Reach, python: Python) -> set[int]:
    """What the frames of the event loops' threads hold: an adapter may be referred to by the main function alone."""
    found: set[int] = set()
    for thread in python.threads:
        inner = _in_callbacks(python, thread)
        for index, row in enumerate(thread.frames if thread.loop is not None else ()):
            try:
                frame = frame_at(reach.runtime, row.address)
                if index < inner:
                    # What runs just now changes all the time; of that its `self` is enough.
                    found |= frozenset().union(*(reach.of_object(held, HOPS) for held in reach.variables(frame, 1)))
                else:
                    found |= reach.of_frame(frame, HOPS)
            except Unreadable:
                continue
    return found


def _in_callbacks(python: Python, thread: PyThread) -> int:
    """How many of a thread's frames, the innermost, are of what its event loop runs."""
    names = [python.codes[row.code].name.reveal() for row in thread.frames]
    return names.index("run_forever") if "run_forever" in names else 0
