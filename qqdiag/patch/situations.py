"""Situations that an adapter gets into, as what aiohttp, asyncio and the gateway's base class do in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from qqdiag.patch.calls import LOGS, until
from qqdiag.patch.code import Code, Function
from qqdiag.patch.endings import Call, Ending, Outcome
from qqdiag.patch.roles import Roles
from qqdiag.patch.values import NONE, SELF, Known, Raised, State, Table, Thing, Unknown, Value, about
from qqdiag.patch.walk import Turns, Walk

WS, SESSION, MESSAGE, TASK = Thing("ws"), Thing("session"), Thing("message"), Thing("listener task")
HTTP = frozenset({"headers", "timeout", "json", "params", "auth"})  # what a call has that asks a server
TIMES = frozenset({"monotonic", "time", "perf_counter"})
# What the base class of hermes' platforms does to `_running` (gateway/platforms/base.py, 0.14.0 to 0.19.0).
RUNNING = {"_mark_connected": True, "_mark_disconnected": False, "_set_fatal_error": False}
STOPS = "_set_fatal_error"
TELLS = "_notify_fatal_error"


@dataclass(frozen=True)
class Library:
    """What the surroundings do. The defaults are a connection that works and brings nothing."""

    kind: str = "TEXT"  # of the message that `receive` brings
    data: Value = NONE
    payload: Table | None = None  # what its text holds
    receive_error: Raised | None = None
    connect_error: Raised | None = None
    rest_error: Raised | None = None
    pause_error: Raised | None = None  # of a sleep
    listener_done: bool | None = None

    def __call__(self, call: Call) -> list[Outcome] | None:
        last = call.name.rpartition(".")[2]
        state, line = call.state, call.line
        if last in LOGS and call.arguments:
            return [(NONE, state)]
        if call.of in (WS, SESSION) or last in ("ws_connect", "ClientSession", "__anext__"):
            return self.connection(call, last)
        if last in ("abort", "force_close"):
            return [(NONE, state.happened("cut", call.name, line))]
        if last == "sleep":
            first = call.arguments[0] if call.arguments else Unknown()
            return _raising(self.pause_error, NONE, state.happened("sleep", call.name, line, first), line)
        if last in TIMES:
            return [(Unknown(frozenset({"#time"})), state)]
        if call.name in ("json.loads", "message.json", "orjson.loads", "ujson.loads"):
            return [(self.payload or Unknown(), state)]
        if call.of == TASK and last != "add_done_callback":
            done = Unknown() if self.listener_done is None else Known(self.listener_done)
            return [(done if last == "done" else Unknown(), state)]
        if last in ("post", "get", "request", "put") and not isinstance(call.of, Table | Known):
            return self.rest(call, last)
        if call.of == SELF and last in RUNNING:
            state = state.happened("self", last, line).put_field(SELF, "_running", Known(RUNNING[last]))
            return [(NONE, state)]
        if call.of == SELF and last == TELLS:
            return [(NONE, state.happened("self", last, line))]
        return None

    def connection(self, call: Call, last: str) -> list[Outcome]:
        state, line = call.state, call.line
        if last in ("receive", "__anext__"):
            if self.receive_error is not None:
                return _raising(self.receive_error, NONE, state, line)
            if last == "__anext__" and self.kind in ("CLOSE", "CLOSED", "CLOSING"):
                return [(NONE, state.happened("received", last, line))]
            if self.kind != "TEXT":  # aiohttp has closed it by itself (client_ws.py, `receive`)
                state = state.put_field(WS, "closed", Known(True))
            state = until(call.arguments, call.named, state, line)
            return [(MESSAGE, state.happened("received", last, line))]
        if last == "close":
            return [(Thing(f"closing:{call.name.partition('.')[0]}:{line}"), state)]
        if last == "ClientSession":
            return [(SESSION, state)]
        if last == "ws_connect":
            after = state.happened("connect", last, line)
            if self.connect_error is not None:
                return _raising(self.connect_error, NONE, after, line)
            return [(WS, after.put_field(WS, "closed", Known(False)))]
        if last.startswith("send"):
            given = call.arguments[0] if call.arguments else NONE
            op = given.get("op") if isinstance(given, Table) else NONE
            return [(NONE, state.happened("send", str(op.value) if isinstance(op, Known) else "?", line, given))]
        return [(Thing("transport") if last == "get_extra_info" else Unknown(), state)]

    def rest(self, call: Call, last: str) -> list[Outcome] | None:
        if "#answer" in about(call.of) or not {*call.named} & HTTP:
            return None
        state = call.state.happened("http", last, call.line)
        return _raising(self.rest_error, Unknown(frozenset({"#answer"})), state, call.line)


def _raising(error: Raised | None, value: Value, state: State, line: int) -> list[Outcome]:
    """The error where there is one, and an event for it."""
    return [(value, state)] if error is None else [(error, state.happened("raised", error.classes[0], line))]


def begin(roles: Roles, **fields: Value) -> State:
    """A running adapter with its WebSocket, and what else is known of its attributes."""
    state = State().put_field(SELF, roles.ws, WS)
    if roles.session is not None:
        state = state.put_field(SELF, roles.session, SESSION)
    if roles.listen_task is not None:
        state = state.put_field(SELF, roles.listen_task, TASK)
    for name in sorted({*roles.running, "_running"}):
        state = state.put_field(SELF, name, Known(True))
    for name, value in fields.items():
        state = state.put_field(SELF, name, value)
    return state


def message(state: State, library: Library) -> State:
    """The state in which `receive` brings the library's message."""
    state = state.put_field(MESSAGE, "type", Thing(f"aiohttp.WSMsgType.{library.kind}"))
    return state.put_field(MESSAGE, "data", library.data).put_field(MESSAGE, "extra", Known(""))


def follow(
    code: Code,
    function: Function,
    library: Library,
    state: State,
    marks: Iterable[str] | None = None,
    only: Iterable[str] | None = None,
    turns: Turns | None = None,
    small: bool = True,
) -> list[Ending]:
    """Every ending of `function`. Other functions are followed when they lead to one of `marks`; None: always.

    :param only: kinds of events that are asked for, None for all; without the others fewer ways have to be told apart
    :param turns: a loop that is gone round more than once
    :param small: small functions are followed too, whatever they lead to

    :raises Undecided: there are too many ways
    """
    wanted = None if marks is None else frozenset(marks)
    told = replace(message(state, library), only=None if only is None else frozenset(only))
    walk = Walk(
        code,
        library,
        lambda called: (
            wanted is None
            or called.is_property
            or (small and called.is_small)
            or not wanted.isdisjoint(code.reach_of(called))
        ),
        frozenset(told.fields),
        turns,
    )
    return walk.from_start(function, told)


def closed(state: State, is_closed: bool = True) -> State:
    return state.put_field(WS, "closed", Known(is_closed))
