"""The gateway's own objects: its WebSockets, who holds and who reads each, and the adapters that a profile knows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from qqdiag.collect import adapters, callgraph, ended, websockets
from qqdiag.collect.holders import Holding, holders
from qqdiag.collect.reach import Reach
from qqdiag.cpython.frames import code_at, frame_of
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Word
from qqdiag.profiles import Profile
from qqdiag.snapshot import Adapter, Gateway, Python, Task, Transport, WebSocket


def read_gateway(runtime: Runtime, python: Python, profiles: Sequence[Profile]) -> tuple[Python, Gateway]:
    """WebSockets and adapters that the frames of tasks and threads lead to. A pure function over memory.

    The Python that is returned has the ended tasks too that were met on the way.
    """

    def wanted(info: TypeInfo) -> bool:
        return websockets.is_websocket(info) or adapters.shape_of(info, profiles) is not None

    reach = Reach(runtime, wanted)
    held = holders(reach, python)
    transports = [row for loop in python.loops for row in loop.transports]
    recognised = [one for address in held if (one := _adapter(runtime, address, profiles)) is not None]
    of_adapters = [task for adapter in recognised for task in (adapter.listener, adapter.heartbeat) if task is not None]
    python = ended.added(runtime, python, [*reach.tasks, *of_adapters])
    for adapter in recognised:
        if adapter.websocket is not None and adapter.listener is not None:
            held.setdefault(adapter.websocket, Holding()).readers.add(adapter.listener)
    addresses = dict.fromkeys([*held, *(adapter.websocket for adapter in recognised if adapter.websocket)])
    found = [ws for address in addresses if (ws := _websocket(runtime, address, transports, held)) is not None]
    tasks = {task.address: task for task in python.tasks}
    known = [_with_maybes(reach, tasks, websocket) for websocket in found]
    fds = {websocket.fd for websocket in known}
    rest = [websockets.of_transport(row) for row in transports if row.websocket_reader and row.fd not in fds]
    listeners = [task.address for task in python.tasks if _asked(task) and _listens(reach, task)]
    gateway = Gateway(
        profile=Word(recognised[0].profile.reveal()) if recognised else None,
        websockets=[*known, *rest],
        adapters=recognised,
        listeners=listeners,
        truncated=reach.exhausted or reach.broken,
    )
    return python, gateway


def _with_maybes(reach: Reach, tasks: dict[int, Task], websocket: WebSocket) -> WebSocket:
    """An open WebSocket that no frame reads: who holds it may be between two reads, in a method of its class."""
    if websocket.readers or websocket.closed or websocket.fd is None:
        return websocket
    maybe = [address for address in websocket.holders if address in tasks and _listens(reach, tasks[address])]
    return msgspec.structs.replace(websocket, maybe_readers=maybe)


def _asked(task: Task) -> bool:
    """Whether it matters if the task is a listener, and no waiting frame can tell."""
    return task.state.reveal() == "running" or (task.state.reveal() == "failed" and task.exception_fetched is False)


def _listens(reach: Reach, task: Task) -> bool:
    for level in task.chain:
        try:
            code = code_at(reach.runtime, level.address)
            own = 0 if task.state.reveal() == "failed" else _self(reach, level.address)
            if code and callgraph.receives(reach.runtime, code, reach.classes.values(), own):
                return True
        except Unreadable:
            reach.broken = True
    return False


def _self(reach: Reach, coroutine: int) -> int:
    """The first local of its frame, which one that has ended leaves as it was; 0 where there is none."""
    frame = frame_of(reach.runtime, coroutine)
    held = reach.variables(frame, 1) if frame is not None else []
    return held[0] if held else 0


def _adapter(runtime: Runtime, address: int, profiles: Sequence[Profile]) -> Adapter | None:
    """The adapter at `address`; None for a WebSocket, and for what was freed or torn between the reads."""
    try:
        if adapters.shape_of(runtime.objects.type_of(address), profiles) is not None:
            return adapters.read(runtime, address, profiles)
    except Unreadable:
        pass
    return None


def _websocket(
    runtime: Runtime, address: int, transports: list[Transport], held: dict[int, Holding]
) -> WebSocket | None:
    """The WebSocket at `address` with its holders; None for an adapter, and for what was freed or torn."""
    try:
        shape = websockets.shape_of(runtime.objects.type_of(address))
        if shape is None:
            return None
        found = websockets.read(runtime, address, shape, transports)
    except Unreadable:
        return None
    holding = held.get(address, Holding())
    return msgspec.structs.replace(
        found,
        holders=sorted(holding.holders),
        readers=sorted(holding.readers),
        send_period=min(holding.periods, default=None),
    )
