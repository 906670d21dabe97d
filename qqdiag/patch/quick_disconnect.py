"""quick-disconnect: connections that end as soon as they are made are counted, and a row of them makes a long pause."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import nodes
from qqdiag.patch.constants import dotted
from qqdiag.patch.edits import Editor
from qqdiag.patch.endings import Ending, events
from qqdiag.patch.judged import Adapter, Judged, Place, Refused, has_unless
from qqdiag.patch.situations import STOPS, TELLS, Library, begin, closed, follow
from qqdiag.patch.values import SELF, Event, Known, Raised, Unknown
from qqdiag.patch.walk import Turns, Undecided

ID = "quick-disconnect"
FAILED = Raised(("ClientError", "Exception", "BaseException"))


def judge(adapter: Adapter) -> Judged:
    """A close right after a connection, and connecting again works: the count must outlive that."""
    roles, code = adapter.roles, adapter.code
    state = closed(begin(roles), is_closed=False)
    ways = follow(code, roles.listener, Library("CLOSE", Known(4000)), state, {"receive", "ws_connect", roles.ws})
    ways = [ending for ending in ways if not events([ending], "timed out")]  # connecting again works
    again = [ending for ending in ways if ending.how == "again"]
    counted = {event.detail: event.line for ending in ways for event in _counts(ending)}
    for other in _attempts(adapter):
        counted.pop(other, None)
    if not counted:
        return has_unless([Place(code.line(roles.listener.node), Say("nothing counts connections that end at once"))])
    line = min(counted.values())
    if not any(_grows(adapter, name) for name in counted):
        return has_unless([Place(line, Say("the next connection sets this count back"))])
    reset = [Place(event.line, Say("a new connection sets the count back")) for one in again for event in _resets(one)]
    return has_unless(reset or _without_effect(ways, again, counted))


def _attempts(adapter: Adapter) -> set[str]:
    """What is counted whatever time has passed: attempts to connect again."""
    state = closed(begin(adapter.roles), is_closed=False)
    library = Library(receive_error=FAILED, connect_error=FAILED)
    marks = {"receive", "ws_connect", adapter.roles.ws}
    ways = follow(adapter.code, adapter.roles.listener, library, state, marks, {"more"})
    found = (event for ending in ways for event in ending.state.events)
    return {event.detail for event in found if "#time" not in event.decided}


def _grows(adapter: Adapter, name: str) -> bool:
    """Whether the count is three after three of them."""
    roles = adapter.roles
    turns = Turns(3, frozenset({"receive", roles.read.name}), lambda one: [one])
    state = closed(begin(roles), is_closed=False)
    marks = {"receive", "ws_connect", roles.ws}
    library = Library("CLOSE", Known(4000))
    try:
        ways = follow(adapter.code, roles.listener, library, state, marks, {"self"}, turns, small=False)
    except Undecided:  # too many ways for three turns: what one turn shows has to do
        return True
    left = [one.state.locals.get(name, one.state.fields.get((SELF, name), Unknown())) for one in ways]
    told = any(event.detail == TELLS for one in ways for event in one.state.events)
    return told or any(not isinstance(one, Known) or one == Known(3) for one in left)


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


def change(adapter: Adapter, edit: Editor) -> None:
    """The count is not set back by connecting again, and a row of them pauses instead of ending the listener."""
    listener = adapter.roles.listener
    counters = _counters(adapter)
    seen = False
    for node in nodes(listener.node.body):
        if isinstance(node, cst.If) and any(isinstance(part, cst.Await) for part in nodes(node.test)):
            _keep_count(edit, node, counters)
        elif isinstance(node, cst.If) and any(
            isinstance(part, cst.Name) and part.value in counters for part in nodes(node.test)
        ) and any(isinstance(part, cst.Return) for part in nodes(node.body)):  # fmt: skip
            _pause(adapter, edit, node)
            seen = True
    if not counters or not seen:
        raise Refused(Say("nothing in the listener counts connections that end at once"))


def _counters(adapter: Adapter) -> set[str]:
    roles = adapter.roles
    state = closed(begin(roles), is_closed=False)
    marks = {"receive", "ws_connect", roles.ws}
    ways = follow(adapter.code, roles.listener, Library("CLOSE", Known(4000)), state, marks)
    return {event.detail for ending in ways for event in _counts(ending)} - _attempts(adapter)


def _keep_count(edit: Editor, node: cst.If, counters: set[str]) -> None:
    resets = [line for line in node.body.body if _sets_back(line, counters)]
    for line in resets:
        edit.remove(line, instead="pass" if len(resets) == len(node.body.body) else "")


def _sets_back(line: cst.CSTNode, counters: set[str]) -> bool:
    small = line.body[0] if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None
    return (
        isinstance(small, cst.Assign)
        and dotted(small.targets[0].target).removeprefix("self.") in counters
        and isinstance(small.value, cst.Integer)
    )


def _pause(adapter: Adapter, edit: Editor, node: cst.If) -> None:
    lines = [line for line in node.body.body if isinstance(line, cst.SimpleStatementLine)]
    last = lines[-1].body[0] if lines else None
    if node.orelse is not None or not isinstance(last, cst.Return):
        raise Refused(Say("what it does after many quick disconnects is not understood"))
    long = "RATE_LIMIT_DELAY" if "RATE_LIMIT_DELAY" in adapter.code.imported else "60"
    for line in lines:
        if any(isinstance(part, cst.Attribute) and part.attr.value == STOPS for part in nodes(line)):
            edit.remove(line)
    edit.remove(lines[-1], instead=f"await {edit.name_of('asyncio')}.sleep({long})")
