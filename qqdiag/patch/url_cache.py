"""url-cache: the address of the gateway is kept, until a connection to it fails."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import nodes
from qqdiag.patch.constants import dotted
from qqdiag.patch.edits import Editor
from qqdiag.patch.endings import Ending, events
from qqdiag.patch.finding import everywhere
from qqdiag.patch.judged import HAS, Adapter, Judged, Place, Refused, cannot_tell, lacks
from qqdiag.patch.situations import Library, begin, closed, follow
from qqdiag.patch.values import NONE, SELF, Known, Raised, Unknown

ID = "url-cache"
FAILED = Raised(("ClientError", "Exception", "BaseException"))


def judge(adapter: Adapter) -> Judged:
    """Is there a way to connect again on which REST is not asked, and does a failure forget the address?"""
    ways = [ending for ending in _reconnecting(adapter, Library("CLOSE", Known(4000))) if events([ending], "connect")]
    always = set.intersection(*({event.line for event in events([one], "http")} for one in ways)) if ways else set()
    asked = [event for event in events(ways, "http") if not always or event.line in always]
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
    forgotten = [name for name in sorted(looked_at) if _is_always_empty(failing, name)]
    if not forgotten:
        return lacks(Place(asked[-1].line, Say("the address is kept though a connection to it fails")))
    if all(_is_always_empty(ways, name) for name in forgotten):
        return lacks(Place(asked[-1].line, Say("the address is forgotten though the connection to it works")))
    return HAS


def _is_always_empty(endings: list[Ending], name: str) -> bool:
    """Whether an attribute holds nothing on each way that goes on."""
    left = [ending.state.fields.get((SELF, name)) for ending in endings if ending.how == "again"]
    return all(value in (NONE, Known(""), Known(0)) for value in left)


def _reconnecting(adapter: Adapter, library: Library) -> list[Ending]:
    roles = adapter.roles
    marks = {"receive", "ws_connect", "get", "post", roles.ws}
    state = closed(begin(roles), is_closed=False)
    return follow(adapter.code, roles.listener, library, state, marks)


FIELD = "_kept_gateway_url"


def change(adapter: Adapter, edit: Editor) -> None:
    """The address is kept in an attribute; where a reconnect fails, it is forgotten."""
    code, opening = adapter.code, adapter.roles.opening
    lines = {place.line for place in judge(adapter).places}
    asked = [function for function, node in everywhere(code) if isinstance(node, cst.Call) and code.line(node) in lines]
    last = asked[0].node.body.body[-1] if asked else None
    result = last.body[0] if isinstance(last, cst.SimpleStatementLine) else None
    value = result.value if isinstance(result, cst.Return) else None
    if not asked or not isinstance(value, cst.Name) or last is None:
        raise Refused(Say("the function that asks for the gateway's address is not understood"))
    edit.at_top(asked[0].node.body, f"if self.{FIELD}:\n    return self.{FIELD}")
    edit.before(last, f"self.{FIELD} = {value.value}")
    forgets = 0
    for function, node in everywhere(code):
        if not isinstance(node, cst.Try) or opening.name not in _called(node) or function.name == "connect":
            continue
        for handler in node.handlers:
            edit.at_top(handler.body, f"self.{FIELD} = None")
            forgets += 1
    if not forgets:
        raise Refused(Say("where a reconnect fails was not found"))
    edit.fields[FIELD] = "None"


def _called(node: cst.Try) -> set[str]:
    return {dotted(part.func).rpartition(".")[2] for part in nodes(node.body) if isinstance(part, cst.Call)}
