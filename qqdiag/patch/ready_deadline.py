"""ready-deadline: a connection on which neither READY nor RESUMED comes in time is cut."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.patch.endings import Ending, events
from qqdiag.patch.heartbeat_ack import names
from qqdiag.patch.judged import HAS, Adapter, Judged, Place, frame, lacks
from qqdiag.patch.situations import Library, begin, closed, follow
from qqdiag.patch.values import NONE, Known, Table

ID = "ready-deadline"
HELLO = Table((("heartbeat_interval", Known(41250)),))


def judge(adapter: Adapter) -> Judged:
    """Something that READY and RESUMED end must cut the connection otherwise."""
    opening = follow(adapter.code, adapter.roles.opening, Library(), closed(begin(adapter.roles)))
    greeted = answered(adapter, Known(10), NONE, HELLO)
    line = next((event.line for event in events(opening, "connect")), 0)
    ending = {
        event: names(answered(adapter, Known(0), Known(event), Table((("session_id", Known("s")),))))
        - names(answered(adapter, Known(0), Known("OTHER"), NONE))
        for event in ("READY", "RESUMED")
    }
    timed = _timed(opening) | _timed(greeted) | _waited(adapter)
    if not timed:
        return lacks(Place(line, Say("nothing cuts this connection when READY does not come")))
    for event, changed in ending.items():
        if not timed & changed:
            named = "READY" if event == "READY" else "RESUMED"
            why = {"READY": Say("READY does not end its deadline"), "RESUMED": Say("RESUMED does not end its deadline")}
            return lacks(Place(line, why[named]))
    return HAS


def answered(adapter: Adapter, op: Known, event: Known, body: Table | Known) -> list[Ending]:
    """The ways of the reading function when a frame comes."""
    library = Library(payload=frame(op, event, Known(7), body))
    state = closed(begin(adapter.roles), is_closed=False)
    code = adapter.code
    marks = {"send_json", "send_str", "close", "abort", "loads", "call_later", "cancel", "set"}
    messages = {name for one in code.everything() for name in one.calls if "message" in name and name != "_parse_json"}
    return follow(code, adapter.roles.read, library, state, (marks | _private(adapter)) - messages)


def _private(adapter: Adapter) -> set[str]:
    """Attributes that the connection's own functions set: what handles a message is not followed."""
    roles = adapter.roles
    own = (roles.read, roles.opening, roles.listener, *((roles.beat,) if roles.beat else ()))
    return {roles.ws, *(name for one in own for name in one.calls if name.startswith("_"))}


def _timed(endings: list[Ending]) -> set[str]:
    """What a later cut depends on: the timer that is kept, or the fields that are looked at before."""
    found: set[str] = set()
    for ending in endings:
        own = ending.state.events
        later = [place for place, event in enumerate(own) if event.kind in ("later", "task")]
        cuts = [event for event in own[later[0] :] if event.kind in ("cut", "close")] if later else []
        if cuts:
            found |= {event.detail for event in own if event.kind == "set" and _is_timer(event.value)}
            found |= {name for event in cuts for name in event.decided}
    return found


def _is_timer(value: object) -> bool:
    return getattr(value, "name", "") in ("timer", "task")


def _waited(adapter: Adapter) -> set[str]:
    """Fields that the listener waits for with a deadline, while it connects."""
    library = Library("CLOSE", Known(4000))
    state = closed(begin(adapter.roles), is_closed=False)
    marks = {"receive", "ws_connect", "wait_for", adapter.roles.ws}
    endings = follow(adapter.code, adapter.roles.listener, library, state, marks)
    return {event.detail for event in events(endings, "waited")}
