"""closed-read: a WebSocket that is closed or absent never makes the listener go round without a pause."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.edits import Editor
from qqdiag.patch.endings import Ending
from qqdiag.patch.judged import Adapter, Judged, Place, Refused, has_unless
from qqdiag.patch.situations import Library, begin, closed, follow
from qqdiag.patch.values import NONE, SELF, Known, Raised, State

ID = "closed-read"
WAITS = ("http", "connect", "sleep")
FAILED = Raised(("ClientError", "Exception", "BaseException"))


def judge(adapter: Adapter) -> Judged:
    """A failed reconnect left the WebSocket closed, or none: does each round wait for something?"""
    roles = adapter.roles
    absent = begin(roles).put_field(SELF, roles.ws, NONE)
    places: list[Place] = []
    for state in (closed(begin(roles)), absent):
        if any(ending.how == "again" and not _waits(ending) for ending in _rounds(adapter, state)):
            places.append(Place(_line(adapter, state), Say("a closed WebSocket is read as if nothing had happened")))
    return has_unless(places)


def _rounds(adapter: Adapter, state: State) -> list[Ending]:
    roles = adapter.roles
    library = Library(kind="CLOSED", connect_error=FAILED)
    marks = {"receive", "ws_connect", roles.read.name, roles.ws}
    return follow(adapter.code, roles.listener, library, state, marks, WAITS)


def _waits(ending: Ending) -> bool:
    """Whether something on the way gives the event loop a turn."""
    return any(event.kind != "sleep" or event.value != Known(0) for event in ending.state.events)


def _line(adapter: Adapter, state: State) -> int:
    """Where the reading function ends as if all were well."""
    endings = follow(adapter.code, adapter.roles.read, Library(kind="CLOSED"), state, {adapter.roles.ws})
    lines = [ending.line for ending in endings if ending.how in ("return", "again") and ending.line]
    return lines[0] if lines else adapter.code.line(adapter.roles.read.node)


def change(adapter: Adapter, edit: Editor) -> None:
    """Below the loop that reads: a WebSocket that is closed or absent is an error."""
    read, ws = adapter.roles.read, f"self.{adapter.roles.ws}"
    loops = [one for one in read.node.body.body if isinstance(one, cst.While | cst.For)]
    if len(loops) != 1:
        raise Refused(Say("the loop that reads the WebSocket does not stand by itself in its function"))
    edit.after(loops[0], f'if not {ws} or {ws}.closed:\n    raise RuntimeError("WebSocket closed")')
