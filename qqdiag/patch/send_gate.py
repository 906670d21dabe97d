"""send-gate: who sends does not wait for a reconnect that nobody makes."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.patch.endings import Ending
from qqdiag.patch.judged import Adapter, Judged, Place, cannot_tell, has_unless
from qqdiag.patch.situations import TASK, Library, begin, closed, follow
from qqdiag.patch.values import NONE, SELF

ID = "send-gate"
WAITS = ("http", "sleep", "waited")
SEND = "send"  # the method that hermes' platforms have to have (gateway/platforms/base.py)


def judge(adapter: Adapter) -> Judged:
    """The listener has ended: does `send` wait before it fails or asks REST?"""
    function = adapter.code.method(SEND)
    if function is None:
        return cannot_tell(Say("no method send was found"))
    roles = adapter.roles
    places: list[Place] = []
    for state in (closed(begin(roles)), begin(roles).put_field(SELF, roles.ws, NONE)):
        if roles.listen_task is not None:
            state = state.put_field(SELF, roles.listen_task, TASK)
        marks = {roles.ws, "is_connected", "sleep", roles.listen_task or "sleep"}
        for ending in follow(adapter.code, function, Library(listener_done=True), state, marks, WAITS):
            places += _waits(ending)
    return has_unless(places)


def _waits(ending: Ending) -> list[Place]:
    """A pause before anything is asked of the server."""
    for event in ending.state.events:
        if event.kind == "http":
            break
        if event.kind in ("sleep", "waited"):
            return [Place(event.line, Say("a sender waits here although the listener has ended"))]
    return []
