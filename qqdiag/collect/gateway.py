"""The gateway's own objects: its WebSockets, who holds and who reads each, and the adapters that a profile knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from qqdiag.collect import adapters, callgraph, websockets
from qqdiag.collect.reach import Reach, frame_of
from qqdiag.cpython.frames import RawFrame, frame_at, locals_of
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Word
from qqdiag.profiles import Profile
from qqdiag.snapshot import RECEIVES, SENDS, Code, Gateway, Python, Task, WebSocket

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


def read_gateway(runtime: Runtime, python: Python, profiles: Sequence[Profile]) -> Gateway:
    """WebSockets and adapters that the frames of tasks and threads lead to. A pure function over memory."""

    def wanted(info: TypeInfo) -> bool:
        return websockets.is_websocket(info) or adapters.shape_of(info, profiles) is not None

    reach = Reach(runtime, wanted)
    held: dict[int, Holding] = {}
    uses = [_use(code) for code in python.codes]
    for task in python.tasks:
        if task.state.reveal() in ("pending", "running"):
            _task(reach, python, uses, task, held)
    for address in _from_threads(reach, python):
        held.setdefault(address, Holding())
    return _gateway(reach, python, profiles, held)


def _use(code: Code) -> Use:
    calls = {call.reveal() for call in code.calls} | {code.name.reveal()}
    path = code.path.reveal()
    return Use(
        receives=bool(calls & RECEIVES),
        sends=bool(calls & SENDS),
        library="/aiohttp/" in path or "/websockets/" in path,
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
            inner = frame_of(reach.runtime, value)
            if value == websocket or (inner is not None and websocket in reach.of_frame(inner, 0)):
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
    """What the running frames of threads hold: an adapter may be referred to by the main function alone."""
    found: set[int] = set()
    for thread in python.threads:
        for row in thread.frames:
            try:
                found |= reach.of_frame(frame_at(reach.runtime, row.address), HOPS)
            except Unreadable:
                continue
    return found


def _gateway(reach: Reach, python: Python, profiles: Sequence[Profile], held: dict[int, Holding]) -> Gateway:
    transports = [row for loop in python.loops for row in loop.transports]
    found: dict[int, WebSocket] = {}
    recognised = []
    for address, holding in held.items():
        try:
            if websockets.is_websocket(reach.runtime.objects.type_of(address)):
                found[address] = _held(websockets.read(reach.runtime, address, transports), holding)
            else:
                recognised.append(adapters.read(reach.runtime, address, profiles))
        except Unreadable:
            continue  # freed or torn between the reads: the other sample has it
    for adapter in recognised:
        if adapter.websocket is not None and adapter.websocket not in found:
            found[adapter.websocket] = websockets.read(reach.runtime, adapter.websocket, transports)
    seen = {ws.fd for ws in found.values()}
    rest = [websockets.of_transport(row) for row in transports if row.websocket_reader and row.fd not in seen]
    return Gateway(
        profile=Word(recognised[0].profile.reveal()) if recognised else None,
        websockets=[*found.values(), *rest],
        adapters=recognised,
        listeners=[task.address for task in python.tasks if _asked(task) and _listens(reach, task)],
        truncated=reach.exhausted,
    )


def _asked(task: Task) -> bool:
    """Whether it matters if the task is a listener, and no waiting frame can tell."""
    return task.state.reveal() == "running" or (task.state.reveal() == "failed" and task.exception_fetched is False)


def _listens(reach: Reach, task: Task) -> bool:
    for level in task.chain:
        try:
            frame = frame_of(reach.runtime, level.address)
            if frame is not None and callgraph.receives(reach.runtime, frame.code.address, reach.classes.values()):
                return True
        except Unreadable:
            continue
    return False


def _held(websocket: WebSocket, holding: Holding) -> WebSocket:
    return msgspec.structs.replace(
        websocket,
        holders=sorted(holding.holders),
        readers=sorted(holding.readers),
        send_period=min(holding.periods, default=None),
    )
