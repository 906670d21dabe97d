"""A heartbeat followed for many turns: nobody answers, everybody answers, and a new connection after that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from qqdiag.patch.code import Code
from qqdiag.patch.constants import literal
from qqdiag.patch.endings import Call, Ending, Outcome, distinct
from qqdiag.patch.expressions import class_constant
from qqdiag.patch.judged import Adapter, frame
from qqdiag.patch.roles import Roles, assignments
from qqdiag.patch.situations import WS, Library, begin, closed, follow
from qqdiag.patch.values import NONE, SELF, Known, State, Table, Value
from qqdiag.patch.walk import Turns, Walk

MOST = 10  # unanswered heartbeats; with the usual 33 s between two, over five minutes of silence
ENDS = ("cut", "close")
ACK = frame(Known(11), NONE, NONE, NONE)
HELLO = frame(Known(10), NONE, NONE, Table((("heartbeat_interval", Known(41250)),)))
SENDS = frozenset({"send_json", "send_str", "send_bytes"})


@dataclass(frozen=True)
class Answering(Library):
    """A peer that answers each heartbeat: op 11 comes in the pause after it."""

    code: Code | None = None
    roles: Roles | None = None

    def __call__(self, call: Call) -> list[Outcome] | None:
        last = call.name.rpartition(".")[2]
        if last in SENDS:
            return [(NONE, call.state.put_field(WS, "#asked", Known(True)))]
        if last != "sleep" or (WS, "#asked") not in call.state.fields or self.code is None or self.roles is None:
            return super().__call__(call)
        fields = {key: value for key, value in call.state.fields.items() if key != (WS, "#asked")}
        return [(NONE, one) for one in taken(self.code, self.roles, ACK, replace(call.state, fields=fields))]


def taken(code: Code, roles: Roles, payload: Table, state: State, asked: Iterable[str] = ()) -> list[State]:
    """The state after a frame, with the events of its own that are asked for."""
    endings = follow(code, roles.read, Library(payload=payload), replace(state, locals={}, events=()), None, asked)
    return distinct(replace(state, fields=one.state.fields).also(one.state.events) for one in endings)


def connected(adapter: Adapter, state: State) -> list[State]:
    """After a new connection and its Hello."""
    code, roles = adapter.code, adapter.roles
    opened = follow(code, roles.opening, Library(), closed(replace(state, locals={}, events=())), None, ())
    ways = distinct(replace(state, events=(), fields=one.state.fields) for one in opened if one.how != "raise")
    return distinct(after for way in ways for after in taken(code, roles, HELLO, closed(way, is_closed=False)))


def first(adapter: Adapter, names: Iterable[str]) -> State:
    """The running adapter with what its class, or `__init__`, sets these attributes to."""
    code = adapter.code
    made = code.method("__init__")
    own = {name: literal(value) for name, value in assignments(made)} if made is not None else {}
    state = begin(adapter.roles)
    for name in sorted(names):
        value: Value | None = own.get(name) or class_constant(Walk(code, lambda _: None), code.adapter, name)
        state = state if value is None else state.put_field(SELF, name, value)
    return state


def turned(adapter: Adapter, state: State, most: int, answered: bool) -> list[Ending]:
    """The heartbeat's endings after so many turns."""
    beat, library = adapter.roles.beat, Library()
    assert beat is not None
    if answered:
        library = Answering(code=adapter.code, roles=adapter.roles)
    turns = Turns(most, SENDS, lambda one: [one])
    return follow(adapter.code, beat, library, replace(state, locals={}, events=()), None, ENDS, turns)


def is_cut(ending: Ending) -> bool:
    """By the heartbeat itself, and not by a timer that it has set."""
    return any(not event.late for event in ending.state.events)


def is_known(states: Iterable[State], names: Iterable[str]) -> bool:
    wanted = sorted(names)
    return all(isinstance(state.fields.get((SELF, name)), Known) for state in states for name in wanted)
