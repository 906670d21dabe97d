"""Event loops: what is ready, which timers are set and what each wakes, the selector's epoll."""

from __future__ import annotations

import dataclasses

from qqdiag.cpython import attributes, callbacks, transports
from qqdiag.cpython.chains import type_name
from qqdiag.cpython.frames import Thread
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Say
from qqdiag.snapshot import Loop, Timer

MAX_TIMERS = 200_000
HANDLE = ("_cancelled", "_when", "_callback", "_args")  # __slots__ of Handle and TimerHandle (Lib/asyncio/events.py)
BASE = "asyncio.base_events.BaseEventLoop"


@dataclasses.dataclass(slots=True)
class Running:
    """Which loop runs in which thread, and which task it runs: by the loop's address."""

    threads: dict[int, Thread]
    tasks: dict[int, int]


def loop(runtime: Runtime, address: int, running: Running, doubts: list[Say]) -> Loop:
    """The loop at `address`; parts of it that cannot be read are left out with a doubt."""
    objects = runtime.objects
    info = objects.type_of(address)
    thread = running.threads.get(address)
    if BASE not in info.bases:
        return Loop(
            address=address,
            type=type_name(info),
            thread=thread.native_id if thread else None,
            running=thread is not None,
            current_task=running.tasks.get(address),
            ready=None,
            epoll_fd=None,
            opaque=True,
        )
    ready = objects.attribute(address, "_ready")
    return Loop(
        address=address,
        type=type_name(info),
        thread=thread.native_id if thread else None,
        running=thread is not None,
        current_task=running.tasks.get(address),
        ready=objects.count(ready) if ready else None,
        timers=timers(runtime, address, doubts),
        epoll_fd=epoll_fd(runtime, address),
        transports=transports.of_loop(runtime, address, doubts),
    )


def timers(runtime: Runtime, loop: int, doubts: list[Say]) -> list[Timer]:
    """`loop._scheduled` without the cancelled ones, soonest first."""
    scheduled = runtime.objects.attribute(loop, "_scheduled")
    found: list[Timer] = []
    for handle in runtime.objects.items(scheduled, MAX_TIMERS) if scheduled else []:
        try:
            timer = _timer(runtime, handle)
        except Unreadable:
            doubts.append(Say("A timer at {address} could not be read.", address=Hex(handle)))
            continue
        if timer is not None:
            found.append(timer)
    return sorted(found, key=lambda timer: timer.when_at)


def _timer(runtime: Runtime, handle: int) -> Timer | None:
    """An asyncio.TimerHandle; None when it was cancelled. `_when` may be an int: aiohttp rounds up."""
    objects = runtime.objects
    info = objects.type_of(handle)
    slots = attributes.slots(objects, info)
    raw = objects.read(handle, info.basicsize)
    cancelled, when, callback, arguments = (
        int.from_bytes(raw[slots[name] : slots[name] + 8], "little") if name in slots else 0 for name in HANDLE
    )
    if not when or not callback or (cancelled and objects.truth(cancelled)) or objects.is_none(callback):
        return None
    at = objects.number(when)
    items = objects.items(arguments, callbacks.MAX_ARGUMENTS) if arguments else []
    name = callbacks.name(runtime, callback)
    return None if at is None else Timer(when_at=at, callback=name, wakes=callbacks.touches(runtime, callback, items))


def epoll_fd(runtime: Runtime, loop: int) -> int | None:
    """`loop._selector._selector`, a select.epoll (`pyEpoll_Object`, Modules/selectmodule.c)."""
    objects = runtime.objects
    selector = objects.attribute(loop, "_selector")
    poll = objects.attribute(selector, "_selector") if selector else None
    if poll is None or objects.type_of(poll).dotted != "select.epoll":
        return None
    return objects.read_int(poll + runtime.layout.epoll_fd)
