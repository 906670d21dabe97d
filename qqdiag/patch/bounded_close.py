"""bounded-close: every close of the WebSocket or its session has a deadline over the whole of it."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.patch.endings import Ending, events
from qqdiag.patch.judged import Adapter, Judged, Place, cannot_tell, has_unless
from qqdiag.patch.situations import Library, begin, follow
from qqdiag.patch.values import NONE, Unknown

ID = "bounded-close"


def judge(adapter: Adapter) -> Judged:
    """From every function that nothing here calls: is a close on its way without a deadline?"""
    endings = [ending for kind in ("TEXT", "CLOSE") for ending in _ways(adapter, kind)]
    closes = events(endings, "close")
    if not closes:
        return cannot_tell(Say("no close of its WebSocket or session was found"))
    open_ended = [Place(one.line, Say("this close has no deadline in all")) for one in closes if not one.bounded]
    forgotten = [
        Place(one.line, Say("this coroutine is never awaited"))
        for one in events(endings, "forgotten")
        if "close" in adapter.code.reach.get(one.detail.rpartition(".")[2], {"close"})
    ]
    return has_unless([*open_ended, *forgotten])


def _ways(adapter: Adapter, kind: str) -> list[Ending]:
    code, roles = adapter.code, adapter.roles
    library = Library(kind=kind, data=Unknown() if kind == "CLOSE" else NONE)
    closing = [one for one in code.everything() if "close" in code.reach[one.name]]
    called = {name for one in closing for name in one.calls}
    found: list[Ending] = []
    for function in closing:
        if function.name not in called and {roles.ws, roles.session} & code.reach[function.name]:
            found += follow(code, function, library, begin(roles), {"close"}, {"close", "forgotten"})
    return found
