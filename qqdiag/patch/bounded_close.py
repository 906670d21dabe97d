"""bounded-close: every close of the WebSocket or its session has a deadline over the whole of it."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import Function
from qqdiag.patch.edits import Editor
from qqdiag.patch.endings import Ending, events
from qqdiag.patch.finding import around, everywhere
from qqdiag.patch.judged import Adapter, Judged, Place, Refused, cannot_tell, has_unless
from qqdiag.patch.situations import Library, begin, follow
from qqdiag.patch.values import NONE, Event, Unknown

ID = "bounded-close"
ASKED = ("close", "forgotten", "given up")
NAME, SECONDS = "_close_bounded", "CLOSE_DEADLINE_SECONDS"


def judge(adapter: Adapter) -> Judged:
    """From every function that nothing here calls: is a close on its way without a deadline?"""
    endings = [ending for kind in ("TEXT", "CLOSE") for ending in _ways(adapter, kind)]
    closes = events(endings, "close")
    open_ended = [
        Place(one.line, Say("this close has no deadline in all")) for ending in endings for one in _open(ending)
    ]
    forgotten = [
        Place(one.line, Say("this coroutine is never awaited"))
        for one in events(endings, "forgotten")
        if "close" in adapter.code.reach.get(one.detail.rpartition(".")[2], {"close"})
    ]
    if not closes and not forgotten:
        return cannot_tell(Say("no close of its WebSocket or session was found"))
    return has_unless([*open_ended, *forgotten])


def _open(ending: Ending) -> list[Event]:
    """Closes that last as long as the peer likes; for a task's, nobody gives up waiting."""
    found: list[Event] = []
    for event in ending.state.events:
        if event.kind == "close" and not event.bounded:
            found.append(event)
        elif event.kind == "given up":
            found = [one for one in found if (one.detail, one.line) != (event.detail, event.line)]
    return found


def _ways(adapter: Adapter, kind: str) -> list[Ending]:
    code, roles = adapter.code, adapter.roles
    library = Library(kind=kind, data=Unknown() if kind == "CLOSE" else NONE)
    marks = {"close", f"with {roles.ws}", f"with {roles.session}"}
    closing = [one for one in code.everything() if marks & code.reach[one.name]]
    called = {name for one in closing for name in one.calls}
    found: list[Ending] = []
    for function in closing:
        if function.name not in called and {roles.ws, roles.session} & code.reach[function.name]:
            found += follow(code, function, library, begin(roles), marks, ASKED, small=False)
    return found


def change(adapter: Adapter, edit: Editor) -> None:
    """Each close goes through one function that gives it a deadline."""
    lines = {place.line for place in judge(adapter).places}
    for function, node in everywhere(adapter.code):
        if not isinstance(node, cst.Call) or adapter.code.line(node) not in lines:
            continue
        if not isinstance(node.func, cst.Attribute) or node.func.attr.value != "close":
            continue
        if node.args or not _is_alone(function, node):
            raise Refused(Say("the close in line {line} has arguments or a result", line=adapter.code.line(node)))
        edit.replace(node, f"{NAME}({edit.source_of(node.func.value)})")
    asyncio = edit.name_of("asyncio")
    edit.added[NAME] = f'''{SECONDS} = 5.0


async def {NAME}(closing):
    """Close a WebSocket or a session in time, whatever its peer does, and cut its connection."""
    connection = getattr(getattr(closing, "_response", None), "connection", None)
    transport = getattr(connection, "transport", None)
    try:
        await {asyncio}.wait_for(closing.close(), {SECONDS})
    except {asyncio}.TimeoutError:
        pass
    finally:
        if transport is not None:
            transport.abort()'''


def _is_alone(function: Function, node: cst.Call) -> bool:
    """Whether nobody looks at what the close gives back."""
    outer = [one for one in around(function, node) if isinstance(one, cst.Await | cst.Expr | cst.Call | cst.Arg)]
    kinds = [type(one) for one in outer]
    return kinds[-2:] == [cst.Expr, cst.Await] or kinds[-1:] == [cst.Arg]
