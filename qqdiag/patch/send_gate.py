"""send-gate: who sends does not wait for a reconnect that nobody makes."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import nodes
from qqdiag.patch.edits import Editor, inner
from qqdiag.patch.endings import Ending
from qqdiag.patch.finding import around, everywhere
from qqdiag.patch.judged import Adapter, Judged, Place, Refused, cannot_tell, has_unless
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
        marks = {roles.ws, "is_connected", "sleep", "wait_for", "wait", "timeout", roles.listen_task or "sleep"}
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


def change(adapter: Adapter, edit: Editor) -> None:
    """In the loop that waits: no more, once the listener has ended."""
    code, task = adapter.code, adapter.roles.listen_task
    lines = {place.line for place in judge(adapter).places}
    if task is None:
        raise Refused(Say("the attribute that holds the listener's task was not found"))
    for function, node in everywhere(code):
        if not isinstance(node, cst.Await) or code.line(node) not in lines:
            continue
        loops = [one for one in around(function, node) if isinstance(one, cst.While)]
        last = [one for one in nodes(function.node.body) if isinstance(one, cst.Return)]
        if not loops or not last:
            raise Refused(Say("how it waits in line {line} is not understood", line=code.line(node)))
        warning = inner(edit.log("warning", "Not connected, and nobody reconnects"))
        edit.at_top(
            loops[-1].body,
            f"if self.{task} is None or self.{task}.done():\n    {warning}\n    {edit.source_of(last[-1])}",
        )
