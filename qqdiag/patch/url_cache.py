"""url-cache: the address of the gateway is kept, until a connection to it fails."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.patch.endings import Ending, events
from qqdiag.patch.judged import HAS, Adapter, Judged, Place, cannot_tell, lacks
from qqdiag.patch.situations import Library, begin, closed, follow
from qqdiag.patch.values import NONE, Known, Raised, Unknown

ID = "url-cache"
FAILED = Raised(("ClientError", "Exception", "BaseException"))


def judge(adapter: Adapter) -> Judged:
    """Is there a way to connect again on which REST is not asked, and does a failure forget the address?"""
    ways = [ending for ending in _reconnecting(adapter, Library("CLOSE", Known(4000))) if events([ending], "connect")]
    asked = events(ways, "http")
    if not asked:
        return cannot_tell(Say("where it learns the gateway's address was not found"))
    kept = {
        one.detail for one in events(ways, "set") if isinstance(one.value, Unknown) and "#answer" in one.value.about
    }
    free = [ending for ending in ways if not events([ending], "http")]
    looked_at = {name for ending in free for name in ending.state.decided} & kept
    if not free or not looked_at:
        return lacks(Place(asked[-1].line, Say("each reconnect asks for the gateway's address")))
    failing = _reconnecting(adapter, Library("CLOSE", Known(4000), connect_error=FAILED))
    forgotten = {event.detail for event in events(failing, "set") if event.value in (NONE, Known(""), Known(0))}
    if not forgotten & looked_at:
        return lacks(Place(asked[-1].line, Say("the address is kept though a connection to it fails")))
    return HAS


def _reconnecting(adapter: Adapter, library: Library) -> list[Ending]:
    roles = adapter.roles
    marks = {"receive", "ws_connect", "get", "post", roles.ws}
    state = closed(begin(roles), is_closed=False)
    return follow(adapter.code, roles.listener, library, state, marks)
