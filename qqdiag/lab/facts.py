"""What the lab's gateway says of itself: each state, judged from inside by a thread that only looks.

A fact is a function of what it looks at; it answers None, or what holds. What it answers under "same" must stay the
same for as long as the fact has to hold.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from qqdiag.fixes.adapter import Adapter

Fact = dict[str, Any] | None
DEPTH = 50  # levels of an await chain that are followed


@dataclass(eq=False)
class Inside:
    """What the facts look at."""

    adapter: Adapter
    config: dict[str, Any]
    ticks: int = 0  # of a task that ticks ten times a second, as long as the loop runs


def steps(task: asyncio.Task[Any] | None) -> list[Any]:
    """The await chain of `task`, outermost first, as far as its objects say what they await."""
    found: list[Any] = []
    step: Any = None if task is None else task.get_coro()
    while step is not None and len(found) < DEPTH:
        found.append(step)
        step = getattr(step, "cr_await", None)
    return found


def innermost(task: asyncio.Task[Any] | None, name: str) -> Any:
    """The last coroutine in `task`'s chain that runs a function of that qualname."""
    named = [step for step in steps(task) if getattr(step, "__qualname__", "") == name]
    return named[-1] if named else None


def ready(inside: Inside) -> Fact:
    """READY or RESUMED came, and the loop runs."""
    return {"events": inside.adapter.events} if inside.adapter.is_ready.is_set() and inside.ticks else None


def spinning(inside: Inside) -> Fact:
    """The main thread is in the listener, and no other task gets its turn."""
    frame: FrameType | None = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_code is Adapter._listen.__code__:
            ws = inside.adapter.ws
            return {"same": inside.ticks, "ws_closed": ws is None or ws.closed}
        frame = frame.f_back
    return None


def standing(inside: Inside) -> Fact:
    """No task gets its turn."""
    return {"same": inside.ticks}


def gave_up(inside: Inside) -> Fact:
    """The listener is done with an exception, which is looked at without fetching it."""
    listening = inside.adapter.listening
    if listening is None or not listening.done() or listening.cancelled():
        return None
    # exception() would mark it as fetched.
    return {"same": 0, "exception": type(listening._exception).__name__} if listening._exception else None


def nobody_listens(inside: Inside) -> Fact:
    """The listener is done without a word, its WebSocket is open and heartbeats go out."""
    listening, ws = inside.adapter.listening, inside.adapter.ws
    if listening is None or not listening.done() or ws is None or ws.closed:
        return None
    beats = inside.adapter.heartbeats.sent
    before = inside.config.setdefault("beats", beats)
    return {"heartbeats": beats - before} if beats >= before + 2 else None


def unanswered(inside: Inside) -> Fact:
    """Heartbeats go out and are not answered."""
    count = inside.adapter.heartbeats.outstanding
    return {"unanswered": count} if count >= 3 else None


def closing(inside: Inside) -> Fact:
    """The listener waits in the close of its WebSocket."""
    close = innermost(inside.adapter.listening, "ClientWebSocketResponse.close")
    return None if close is None else {"same": id(close)}


def closing_session(inside: Inside) -> Fact:
    """The listener waits in the close of its session."""
    close = innermost(inside.adapter.listening, "ClientSession.close")
    return None if close is None else {"same": id(close)}


def draining(inside: Inside) -> Fact:
    """A task waits for room in the write buffer, and goes on waiting."""
    drain = _drain(inside)
    return None if drain is None else {"same": id(drain)}


def progressing(inside: Inside) -> Fact:
    """A task is found waiting for room in the write buffer again and again, each time anew."""
    drain = _drain(inside)
    if drain is None:
        return None
    seen = inside.config.setdefault("drains", [])
    if drain not in seen:
        seen.append(drain)  # keeping it keeps its identity from being used again
    return {"drains": len(seen)} if len(seen) > 5 else None


def _drain(inside: Inside) -> Any:
    tasks = [inside.adapter.listening, *list(inside.adapter.handling)]
    drains = [innermost(task, "BaseProtocol._drain_helper") for task in tasks]
    return next((drain for drain in drains if drain is not None), None)


def backing_off(inside: Inside) -> Fact:
    """The listener sleeps before its next attempt."""
    sleep = innermost(inside.adapter.listening, "sleep")
    return {"same": id(sleep), "attempt": inside.adapter.attempt} if sleep and inside.adapter.attempt else None


def asking(inside: Inside) -> Fact:
    """Three handlers wait for the model, while the listener goes on."""
    waiting = [task for task in list(inside.adapter.handling) if innermost(task, "ClientResponse.start")]
    beats = inside.adapter.heartbeats
    alive = beats.sent and not beats.outstanding
    return {"handlers": len(waiting)} if len(waiting) >= 3 and alive else None


def busy(inside: Inside) -> Fact:
    """The loop's thread takes a good part of a core, or waits for one that others have, and the loop goes round."""
    now, used, ticks = time.monotonic(), _wanted(), inside.ticks
    before = inside.config.setdefault("busy", (now, used, ticks))
    if now < before[0] + 1.0:
        return None
    inside.config["busy"] = (now, used, ticks)
    share = (used - before[1]) / (now - before[0])
    return {"share": round(share, 2)} if 0.4 < share < 0.97 and ticks > before[2] + 1 else None


def _wanted() -> float:
    """Seconds that the main thread ran, or waited in the run queue (Documentation/scheduler/sched-stats)."""
    with open("/proc/self/schedstat", encoding="ascii") as file:
        ran, waited, _ = file.read().split()
    return (int(ran) + int(waited)) / 1e9


def handling(inside: Inside) -> Fact:
    """The listener itself waits for a handler."""
    post = innermost(inside.adapter.listening, "ClientResponse.start")
    return None if post is None or inside.adapter.handling else {"same": id(post)}


def pooled(inside: Inside) -> Fact:
    """The pool holds its connections."""
    return {"connections": inside.config["pooled"]} if inside.config.get("pooled") else None


def opening(inside: Inside) -> Fact:
    """The listener waits in the handshake of a new WebSocket."""
    opened = innermost(inside.adapter.listening, Adapter._open.__qualname__)
    if opened is None or opened.cr_frame is None or inside.adapter.ws is not None:
        return None
    return {"same": [id(opened), opened.cr_frame.f_lasti]}


def resumed_in_vain(inside: Inside) -> Fact:
    """One and the same session is resumed again and again, and no event comes."""
    count = inside.adapter.session.resumes
    return {"same": inside.adapter.session.seq, "resumes": count} if count >= 4 else None


def not_resumed(inside: Inside) -> Fact:
    """A Resume was sent, heartbeats are answered since, and RESUMED has not come."""
    adapter = inside.adapter
    beats = adapter.heartbeats
    waits = adapter.session.resumes and not adapter.is_ready.is_set()
    return {"same": adapter.session.seq, "beats": beats.sent} if waits and beats.sent >= 3 > beats.outstanding else None


def resumed(inside: Inside) -> Fact:
    """A Resume was answered."""
    adapter = inside.adapter
    return {"resumes": adapter.session.resumes} if adapter.session.resumes and adapter.is_ready.is_set() else None


def as_told(inside: Inside) -> Fact:
    """What the handler says of what it has brought about."""
    truth = inside.config.get("truth")
    found: Fact = truth() if truth is not None else None
    return found


FACTS: dict[str, Callable[[Inside], Fact]] = {
    "ready": ready,
    "spinning": spinning,
    "standing": standing,
    "gave-up": gave_up,
    "nobody-listens": nobody_listens,
    "unanswered": unanswered,
    "closing": closing,
    "closing-session": closing_session,
    "draining": draining,
    "progressing": progressing,
    "backing-off": backing_off,
    "asking": asking,
    "busy": busy,
    "handling": handling,
    "pooled": pooled,
    "as-told": as_told,
    "resumed-in-vain": resumed_in_vain,
    "not-resumed": not_resumed,
    "resumed": resumed,
    "opening": opening,
}
