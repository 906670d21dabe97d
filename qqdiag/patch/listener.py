"""listener: the task that reads goes on after every transport error, for ever, and ends when it is cancelled."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import Code, Function, nodes
from qqdiag.patch.edits import Editor
from qqdiag.patch.endings import Ending
from qqdiag.patch.finding import around
from qqdiag.patch.judged import Adapter, Judged, Place, Refused, has_unless
from qqdiag.patch.situations import STOPS, TELLS, Library, begin, closed, follow
from qqdiag.patch.values import Known, Raised

ID = "listener"
_ANY = ("Exception", "BaseException")
ERRORS = (
    ("RuntimeError", *_ANY),
    ("ClientConnectionError", "ClientError", *_ANY),
    ("ClientProxyConnectionError", "ClientConnectorError", "ClientOSError", "ClientError", "OSError", *_ANY),
    ("TimeoutError", "OSError", *_ANY),
    ("SSLError", "OSError", *_ANY),
    ("IncompleteReadError", "EOFError", *_ANY),
    ("ConnectError", "TransportError", "RequestError", "HTTPError", *_ANY),  # of httpx
)
CANCELLED = Raised(("CancelledError", "BaseException"))
FAILED = Raised(("ClientError", *_ANY))


def judge(adapter: Adapter) -> Judged:
    """Each error in turn, while connecting again works, and while it fails."""
    places = [place for error in ERRORS for place in _after(adapter, Library(receive_error=Raised(error)))]
    for connect, rest in ((FAILED, None), (None, Raised(ERRORS[-1]))):
        places += _after(adapter, Library(receive_error=Raised(ERRORS[0]), connect_error=connect, rest_error=rest))
        for code in (4000, 4008):
            places += _after(adapter, Library("CLOSE", Known(code), connect_error=connect, rest_error=rest))
    goes_on = any(one.how == "again" and _cancelled(one) for library in CANCELLING for one in _ways(adapter, library))
    line = adapter.code.line(adapter.roles.listener.node)
    return has_unless([*places, *([Place(line, Say("it goes on when it is cancelled"))] if goes_on else [])])


# Cancelled while it reads, and while it connects again: in a pause, asking for the address, opening.
CANCELLING = (
    Library(receive_error=CANCELLED),
    Library(receive_error=Raised(ERRORS[0]), pause_error=CANCELLED),
    Library(receive_error=Raised(ERRORS[0]), rest_error=CANCELLED, connect_error=CANCELLED),
)


def _cancelled(ending: Ending) -> bool:
    return any((event.kind, event.detail) == ("raised", CANCELLED.classes[0]) for event in ending.state.events)


def _ways(adapter: Adapter, library: Library) -> list[Ending]:
    roles = adapter.roles
    state = closed(begin(roles), is_closed=False)
    marks = {"receive", "ws_connect", "get", "post", roles.ws}
    return follow(adapter.code, roles.listener, library, state, marks, {"self", "more", "raised"})


def _after(adapter: Adapter, library: Library) -> list[Place]:
    """Where the listener ends, and nobody is told. That it ends after many quick disconnects is not its own matter."""
    found: list[Place] = []
    for ending in _ways(adapter, library):
        done = {event.detail for event in ending.state.events if event.kind == "self"}
        quick = any("#time" in event.decided for event in ending.state.events if event.kind == "more")
        if ending.how == "again" or TELLS in done or (STOPS in done and quick):
            continue
        line = ending.line or adapter.code.line(adapter.roles.listener.node)
        if ending.how == "raise":
            found.append(Place(line, Say("a transport error ends the listener here")))
        else:
            found.append(Place(line, Say("the listener gives up here, and nobody starts it again")))
    return found


def change(adapter: Adapter, edit: Editor) -> None:
    """The tests that give up after so many attempts are taken out: the pauses have a longest one already."""
    code, listener = adapter.code, adapter.roles.listener
    for place in judge(adapter).places:
        found = [
            node
            for node in nodes(listener.node.body)
            if isinstance(node, cst.Return) and code.line(node) == place.line and node.value is None
        ]
        if not found:
            raise Refused(Say("how the listener ends in line {line} is not understood", line=place.line))
        test = next(
            node for node in reversed(around(listener, found[0])) if isinstance(node, cst.BaseCompoundStatement)
        )
        if not _gives_up(code, test):
            raise Refused(Say("why the listener ends in line {line} is not understood", line=place.line))
        edit.remove(test, instead="" if _has_neighbours(listener, test) else "pass")


def _gives_up(code: Code, node: cst.BaseCompoundStatement) -> bool:
    """`if attempts >= most:` and nothing else."""
    return (
        isinstance(node, cst.If)
        and node.orelse is None
        and isinstance(node.test, cst.Comparison)
        and isinstance(node.test.left, cst.Name)
        and isinstance(node.test.comparisons[0].operator, cst.GreaterThan | cst.GreaterThanEqual | cst.Equal)
    )


def _has_neighbours(function: Function, node: cst.CSTNode) -> bool:
    block = next(one for one in reversed(around(function, node)) if isinstance(one, cst.IndentedBlock))
    return len(block.body) > 1
