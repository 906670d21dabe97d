"""listener: the task that reads goes on after every transport error, for ever, and ends when it is cancelled."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.patch.endings import Ending
from qqdiag.patch.judged import Adapter, Judged, Place, has_unless
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
        for kind, error in (("TEXT", Raised(ERRORS[0])), ("CLOSE", None)):
            places += _after(adapter, Library(kind, Known(4000), None, error, connect, rest))
    goes_on = [one for one in _ways(adapter, Library(receive_error=CANCELLED)) if one.how == "again"]
    line = adapter.code.line(adapter.roles.listener.node)
    return has_unless([*places, *(Place(line, Say("it goes on when it is cancelled")) for _ in goes_on[:1])])


def _ways(adapter: Adapter, library: Library) -> list[Ending]:
    roles = adapter.roles
    state = closed(begin(roles), is_closed=False)
    return follow(adapter.code, roles.listener, library, state, {"receive", "ws_connect", roles.ws}, {"self"})


def _after(adapter: Adapter, library: Library) -> list[Place]:
    """Where the listener ends, and nobody is told."""
    found: list[Place] = []
    for ending in _ways(adapter, library):
        done = {event.detail for event in ending.state.events if event.kind == "self"}
        if ending.how == "again" or STOPS in done or TELLS in done:
            continue
        line = ending.line or adapter.code.line(adapter.roles.listener.node)
        if ending.how == "raise":
            found.append(Place(line, Say("a transport error ends the listener here")))
        else:
            found.append(Place(line, Say("the listener gives up here, and nobody starts it again")))
    return found
