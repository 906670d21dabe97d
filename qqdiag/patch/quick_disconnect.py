"""quick-disconnect: connections that end as soon as they are made are counted, and a row of them makes a long pause."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.patch.endings import Ending
from qqdiag.patch.judged import Adapter, Judged, Place, has_unless
from qqdiag.patch.situations import STOPS, TELLS, Library, begin, closed, follow
from qqdiag.patch.values import Event, Known

ID = "quick-disconnect"


def judge(adapter: Adapter) -> Judged:
    """A close right after a connection, and connecting again works: the count must outlive that."""
    roles, code = adapter.roles, adapter.code
    state = closed(begin(roles), is_closed=False)
    ways = follow(code, roles.listener, Library("CLOSE", Known(4000)), state, {"receive", "ws_connect", roles.ws})
    again = [ending for ending in ways if ending.how == "again"]
    counted = {event.detail: event.line for ending in ways for event in _counts(ending)}
    if not counted:
        return has_unless([Place(code.line(roles.listener.node), Say("nothing counts connections that end at once"))])
    reset = [Place(event.line, Say("a new connection sets the count back")) for one in again for event in _resets(one)]
    return has_unless(reset or _without_effect(ways, again, counted))


def _counts(ending: Ending) -> list[Event]:
    """What was counted because of a time that had passed."""
    return [event for event in ending.state.events if event.kind == "more" and "#time" in event.decided]


def _resets(ending: Ending) -> list[Event]:
    own, counted, found = ending.state.events, set[str](), list[Event]()
    for event in own:
        if event.kind == "more" and "#time" in event.decided:
            counted.add(event.detail)
        elif event.kind in ("name", "set") and event.detail in counted and event.value == Known(0):
            found.append(event)
    return found


def _without_effect(ways: list[Ending], again: list[Ending], counted: dict[str, int]) -> list[Place]:
    """The count must make a longer pause somewhere, or a stop that somebody is told of."""
    mine = [ending for ending in again if _counts(ending)]
    pauses = {tuple((one.line, one.value) for one in ending.state.events if one.kind == "sleep") for ending in mine}
    for ending in ways:
        done = [event for event in ending.state.events if event.kind == "self"]
        if ending.how != "again" and _counts(ending) and not any(one.detail == TELLS for one in done):
            line = next((one.line for one in done if one.detail == STOPS), ending.line)
            return [Place(line, Say("the listener ends here, and nobody is told to start it again"))]
        if ending.how != "again" and _counts(ending):
            return []
    return [] if len(pauses) > 1 else [Place(min(counted.values()), Say("this count has no effect"))]
