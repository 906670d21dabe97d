"""Event loops: what is ready, which timers are set and what each wakes, the selector's epoll."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from qqdiag.cpython import attributes, callbacks, transports
from qqdiag.cpython.chains import type_name
from qqdiag.cpython.frames import Thread
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Say
from qqdiag.snapshot import Loop, Timer

P = ParamSpec("P")
T = TypeVar("T")
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
    return Loop(
        address=address,
        type=type_name(info),
        thread=thread.native_id if thread else None,
        running=thread is not None,
        current_task=running.tasks.get(address),
        ready=part(doubts, ready, runtime, address),
        timers=part(doubts, timers, runtime, address, doubts) or [],
        epoll_fd=part(doubts, epoll_fd, runtime, address),
        transports=part(doubts, transports.of_loop, runtime, address, doubts) or [],
    )


def part(doubts: list[Say], read: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
    """One part of a loop; what cannot be read is None and a doubt, and costs that part alone."""
    try:
        return read(*args, **kwargs)
    except Unreadable as error:
        doubts.append(
            Say("A part of an event loop could not be read: nothing at {address}.", address=Hex(error.address))
        )
        return None


def ready(runtime: Runtime, loop: int) -> int | None:
    """The length of `loop._ready`; handles that were cancelled count until the loop meets them."""
    queue = runtime.objects.attribute(loop, "_ready")
    return runtime.objects.count(queue) if queue else None


def timers(runtime: Runtime, loop: int, doubts: list[Say]) -> list[Timer]:
    """`loop._scheduled` without the cancelled ones, soonest first."""
    scheduled = runtime.objects.attribute(loop, "_scheduled")
    found: list[Timer] = []
    unreadable = 0
    for handle in runtime.objects.items(scheduled, MAX_TIMERS) if scheduled else []:
        try:
            timer = _timer(runtime, handle)
        except Unreadable:
            unreadable += 1
            continue
        if timer is not None:
            found.append(timer)
    if unreadable:
        doubts.append(Say("Timers that could not be read: {count}.", count=unreadable))
    return sorted(found, key=lambda timer: timer.when_at)


def _timer(runtime: Runtime, handle: int) -> Timer | None:
    """An asyncio.TimerHandle; None when it was cancelled. `_when` may be an int: aiohttp rounds up."""
    objects = runtime.objects
    cancelled, when, callback, arguments = attributes.slot_words(objects, handle, HANDLE)
    if not when or not callback or (cancelled and objects.truth(cancelled)) or objects.is_none(callback):
        return None
    at = objects.number(when)
    if at is None or not math.isfinite(at):
        raise Unreadable(when)
    items = objects.items(arguments, callbacks.MAX_ARGUMENTS) if arguments else []
    name = callbacks.name(runtime, callback)
    return Timer(when_at=at, callback=name, wakes=callbacks.touches(runtime, callback, items))


def epoll_fd(runtime: Runtime, loop: int) -> int | None:
    """`loop._selector._selector`, a select.epoll (`pyEpoll_Object`, Modules/selectmodule.c)."""
    objects = runtime.objects
    selector = objects.attribute(loop, "_selector")
    poll = objects.attribute(selector, "_selector") if selector else None
    if poll is None or objects.type_of(poll).dotted != "select.epoll":
        return None
    return objects.read_int(poll + runtime.layout.epoll_fd)
