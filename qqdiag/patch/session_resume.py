"""session-resume: what must resume resumes, what must identify identifies, what must stop stops."""

from __future__ import annotations

from dataclasses import replace

from qqdiag.model import Say
from qqdiag.patch.beating import first, is_known, taken
from qqdiag.patch.endings import Ending, distinct, events
from qqdiag.patch.heartbeat_ack import names, raised
from qqdiag.patch.judged import Adapter, Judged, Place, cannot_tell, frame, has_unless
from qqdiag.patch.ready_deadline import HELLO, answered
from qqdiag.patch.situations import Library, begin, closed, follow
from qqdiag.patch.values import NONE, SELF, Event, Known, State, Table

ID = "session-resume"
RESUME = (4009,)
IDENTIFY = (4006, 4007, 4900, 4913)
STOP = (4001, 4002, 4010, 4011, 4012, 4013, 4014, 4914, 4915)
SESSION_ID, SEQ = Known("a session"), Known(7)


def judge(adapter: Adapter) -> Judged:
    """Each close code, op 7, op 9, and a session that is resumed in vain."""
    kept = session_field(adapter)
    if kept is None:
        return cannot_tell(Say("the attribute that keeps READY's session was not found"))
    return has_unless([*by_code(adapter, kept), *by_op(adapter, kept), *in_vain(adapter, kept)])


def session_field(adapter: Adapter) -> str | None:
    """The attribute that READY's `session_id` is kept in."""
    endings = answered(adapter, Known(0), Known("READY"), Table((("session_id", SESSION_ID),)))
    return next((event.detail for event in events(endings, "set") if event.value == SESSION_ID), None)


def seq_field(adapter: Adapter) -> str | None:
    """The attribute that the number of the last event is kept in."""
    endings = answered(adapter, Known(0), Known("OTHER"), NONE)
    return next((event.detail for event in events(endings, "set") if event.value == SEQ), None)


def _in_session(adapter: Adapter, kept: str, start: State | None = None) -> State:
    state = closed(start or begin(adapter.roles), is_closed=False).put_field(SELF, kept, SESSION_ID)
    seq = seq_field(adapter)
    return state if seq is None else state.put_field(SELF, seq, SEQ)


def _after_code(adapter: Adapter, kept: str, code: int) -> list[Ending]:
    roles = adapter.roles
    marks = {"receive", "ws_connect", roles.ws, kept}
    return follow(adapter.code, roles.listener, Library("CLOSE", Known(code)), _in_session(adapter, kept), marks)


def _dropped(ending: Ending, kept: str) -> Event | None:
    return next(
        (
            one
            for one in ending.state.events
            if (one.kind, one.detail) == ("set", kept) and one.value in (NONE, Known(""))
        ),
        None,
    )


def by_code(adapter: Adapter, kept: str) -> list[Place]:
    """What it does wrong after a close code."""
    found: list[Place] = []
    fallback = adapter.code.line(adapter.roles.listener.node)
    for code in RESUME:
        for ending in _after_code(adapter, kept, code):
            dropped = _dropped(ending, kept)
            if dropped is not None:
                found.append(Place(dropped.line, Say("the session is dropped after 4009, which lets it resume")))
    for code in IDENTIFY:
        again = [ending for ending in _after_code(adapter, kept, code) if ending.how == "again"]
        if any(_dropped(ending, kept) is None for ending in again):
            found.append(Place(fallback, Say("the session is kept after {code}, which ends it", code=code)))
            break
        if _stale(adapter, again):
            found.append(Place(fallback, Say("the number of the last event outlives its session")))
            break
    for code in STOP:
        again = [ending for ending in _after_code(adapter, kept, code) if ending.how == "again"]
        if again:
            found.append(
                Place(again[0].line or fallback, Say("it connects again after {code}, which forbids it", code=code))
            )
            break
    return found


def _stale(adapter: Adapter, again: list[Ending]) -> bool:
    """Whether the first event of a new session is not kept, because one of the old session had a higher number."""
    seq = seq_field(adapter)
    ready = frame(Known(0), Known("READY"), Known(1), Table((("session_id", Known("another")),)))
    for state in distinct(replace(one.state, locals={}, events=()) for one in again):
        for after in taken(adapter.code, adapter.roles, ready, closed(state, is_closed=False)):
            if seq is not None and after.fields.get((SELF, seq)) == SEQ:
                return True
    return False


def by_op(adapter: Adapter, kept: str) -> list[Place]:
    """What it does wrong after op 7 and op 9."""
    line = adapter.code.line(adapter.roles.read.node)
    for op, body, ends, text in (
        (7, NONE, False, Say("op 7, Reconnect, is passed over")),
        (9, Known(False), True, Say("op 9, Invalid Session, is passed over")),
        (9, Known(True), False, Say("op 9, Invalid Session, is passed over")),
    ):
        endings = answered(adapter, Known(op), NONE, body)
        leaves = all(ending.how in ("raise", "return") or _cut(ending) for ending in endings)
        if not leaves or (ends and not all(_dropped(ending, kept) for ending in endings)):
            return [Place(line, text)]
        drops = [event for ending in endings for event in [_dropped(ending, kept)] if event is not None]
        if drops and not ends:
            return [Place(drops[0].line, DROPPED[op])]
    return []


DROPPED = {
    7: Say("the session is dropped after op 7, which lets it resume"),
    9: Say("the session is dropped after op 9 with d true, which lets it resume"),
}


def _cut(ending: Ending) -> bool:
    return any(event.kind in ("cut", "close") for event in ending.state.events)


def in_vain(adapter: Adapter, kept: str) -> list[Place]:
    """At Hello some count makes it identify although it has a session; each event sets that count back."""
    library_ways = _greeted(adapter, kept)
    identify = [one for one in events(library_ways, "send") if one.detail == "2"]
    resumed = [one for one in events(library_ways, "send") if one.detail == "6"]
    line = resumed[0].line if resumed else adapter.code.line(adapter.roles.read.node)
    if not resumed:
        return [Place(line, Say("it does not resume the session that it has"))]
    reset = names(answered(adapter, Known(0), Known("C2C_MESSAGE_CREATE"), Table(()))) - {seq_field(adapter), kept}
    counted = raised(library_ways) | raised(answered(adapter, Known(0), Known("RESUMED"), NONE))
    watched = {name for one in identify for name in one.decided & reset & counted}
    if not watched or not _comes_to_an_end(adapter, kept, watched):
        return [Place(line, Say("a session is resumed for ever, though no event comes"))]
    return []


def _comes_to_an_end(adapter: Adapter, kept: str, watched: set[str]) -> bool:
    """Resumed again and again on new connections, without an event: does it identify some time?"""
    states = [_in_session(adapter, kept, first(adapter, watched))]
    if not is_known(states, watched):
        return True  # it looks at what it counts; how far that goes is not known
    for _ in range(MOST_IN_VAIN):
        greeted = [one for state in states for one in _connected(adapter, state)]
        states = [
            after
            for one in greeted
            if any(event.detail == "6" for event in one.events)
            for after in taken(adapter.code, adapter.roles, frame(Known(0), Known("RESUMED"), Known(8), NONE), one)
        ]
        states = distinct(replace(state, events=()) for state in states)
    return not states


MOST_IN_VAIN = 10


def _connected(adapter: Adapter, state: State) -> list[State]:
    """After a new connection and its Hello, with what was sent."""
    code, roles = adapter.code, adapter.roles
    opened = follow(code, roles.opening, Library(), closed(replace(state, locals={})), None, ())
    ways = distinct(replace(state, fields=one.state.fields) for one in opened if one.how != "raise")
    hello = frame(Known(10), NONE, NONE, HELLO)
    return [one for way in ways for one in taken(code, roles, hello, closed(way, is_closed=False), ("send",))]


def _greeted(adapter: Adapter, kept: str) -> list[Ending]:
    library = Library(payload=frame(Known(10), NONE, NONE, HELLO))
    marks = {"send_json", "send_str", kept, "loads", adapter.roles.ws}
    return follow(adapter.code, adapter.roles.read, library, _in_session(adapter, kept), marks)
