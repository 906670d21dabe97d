"""Tasks on their way to a new connection: asleep before the next attempt, or in a request of one."""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.snapshot import Adapter, Gateway, Level, Task, TcpInfo
from qqdiag.waits import View, has_level, innermost_at
from qqdiag.waits.closes import CLOSES
from qqdiag.waits.graph import timers_of
from qqdiag.waits.listeners import is_open, unfinished
from qqdiag.waits.loops import turns
from qqdiag.waits.traffic import tcp_of

SLEEPS = (("asyncio/tasks.py", "sleep"),)
# What opens a WebSocket, whoever calls it: path below site-packages, qualname.
UPGRADES = (
    ("aiohttp/client.py", "ClientSession._ws_connect"),
    ("websockets/asyncio/client.py", "connect.__await_impl__"),
    ("websockets/legacy/client.py", "Connect.__await_impl__"),
)
# What asks for a token or an address before that; only of a listener that is known to be one.
REQUESTS = (
    ("aiohttp/client.py", "ClientSession._request"),
    ("httpx/_client.py", "AsyncClient.request"),
    ("httpx/_client.py", "AsyncClient.send"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a reconnect, and what will end it."""

    task: Task
    level: Level
    fd: int | None
    tcp: TcpInfo | None
    ends_in: float | None  # seconds to the timer that gives it up; None: there is none
    restarted: bool  # that timer was set anew since the earlier sample, inside the same request
    same: bool | None  # the same request was there in the earlier sample; None: one sample
    age: float  # at least so many seconds


@dataclass(frozen=True, slots=True)
class BackOff:
    """A listener asleep before its next attempt."""

    adapter: Adapter
    task: Task
    left: float  # seconds


def requests(view: View) -> list[Request]:
    """Every pending task in a WebSocket's opening handshake, and known listeners in a request before it."""
    known = {task.address for _, task in deaf(view)}
    found = []
    for task in view.tasks.values():
        places = (*UPGRADES, *REQUESTS) if task.address in known else UPGRADES
        level = _outermost_at(view, task, places) if task.state.reveal() == "pending" and turns(view, task) else None
        if level is not None and innermost_at(view, task.chain, CLOSES) is None:
            found.append(_request(view, task, level))
    return found


def back_offs(view: View) -> list[BackOff]:
    """Known listeners without a WebSocket that sleep until a timer."""
    found = []
    for adapter, task in deaf(view):
        timers = timers_of(view.graph, task)
        if innermost_at(view, task.chain[-3:], SLEEPS) is not None and timers and turns(view, task):
            found.append(BackOff(adapter, task, max(0.0, timers[0].when_at - view.now)))
    return found


def deaf(view: View) -> list[tuple[Adapter, Task]]:
    """The adapters that have no open WebSocket, and whose listener is at work all the same."""
    gateway = view.last.gateway
    adapters = gateway.adapters if isinstance(gateway, Gateway) else []
    opened = {websocket.address for websocket in view.websockets if is_open(websocket)}
    pairs = [(one, view.tasks.get(one.listener or 0)) for one in adapters if one.websocket not in opened]
    return [(adapter, task) for adapter, task in pairs if task is not None and unfinished(task)]


def _outermost_at(view: View, task: Task, places: tuple[tuple[str, str], ...]) -> Level | None:
    """The first of the levels that is one of the functions: the request as a whole, not a step of it."""
    return next((level for level in task.chain if innermost_at(view, [level], places) is not None), None)


def _request(view: View, task: Task, level: Level) -> Request:
    fd = task.leaf.fd if task.leaf is not None else None
    figures = tcp_of(view, fd)
    timers = timers_of(view.graph, task)
    same = has_level(view, task, level)
    before = view.tasks_before.get(task.address)
    old = timers_of(view.graph_before, before) if before is not None and same else []
    waited = figures[1].last_data_sent if figures and figures[0].state.reveal() == "ESTAB" else 0.0
    return Request(
        task=task,
        level=level,
        fd=fd,
        tcp=figures[1] if figures else None,
        ends_in=max(0.0, timers[0].when_at - view.now) if timers else None,
        restarted=len(timers) == 1 and len(old) == 1 and old[0].when_at < timers[0].when_at - 0.001,
        same=same,
        age=max(view.interval if same else 0.0, waited),
    )
