"""ready-deadline: a connection on which neither READY nor RESUMED comes in time is cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import nodes
from qqdiag.patch.constants import dotted
from qqdiag.patch.edits import Editor
from qqdiag.patch.endings import Ending, events
from qqdiag.patch.finding import named, statement_of
from qqdiag.patch.heartbeat_ack import CUT, CUT_TEXT, names
from qqdiag.patch.judged import HAS, Adapter, Judged, Place, Refused, frame, lacks
from qqdiag.patch.situations import Library, begin, closed, follow
from qqdiag.patch.values import NONE, Known, Table, Thing, Value

ID = "ready-deadline"
HELLO = Table((("heartbeat_interval", Known(41250)),))


def judge(adapter: Adapter) -> Judged:
    """Something that READY and RESUMED end, and nothing before them, must cut the connection otherwise."""
    opening = follow(adapter.code, adapter.roles.opening, Library(), closed(begin(adapter.roles)))
    greeted = answered(adapter, Known(10), NONE, HELLO)
    line = next((event.line for event in events(opening, "connect")), 0)
    told = {event: answered(adapter, Known(0), Known(event), SESSION) for event in ("READY", "RESUMED")}
    others = names(answered(adapter, Known(0), Known("OTHER"), NONE))
    ending = {event: names(endings) - others for event, endings in told.items()}
    timed = _timed(opening) | _timed(greeted) | _bounded_reads(adapter) | _asked_late(adapter, [*opening, *greeted])
    if not timed:
        return lacks(Place(line, Say("nothing cuts this connection when READY does not come")))
    for event, changed in ending.items():
        if not timed & changed:
            return lacks(Place(line, NOT_ENDED[event]))
    by_both = timed & ending["READY"] & ending["RESUMED"]
    if by_both and all(_ends_before(name, told, (opening, greeted)) for name in by_both):
        return lacks(Place(line, Say("its deadline ends before READY or RESUMED comes")))
    return HAS


SESSION = Table((("session_id", Known("s")),))
NOT_ENDED = {"READY": Say("READY does not end its deadline"), "RESUMED": Say("RESUMED does not end its deadline")}


def _ends_before(name: str, told: Mapping[str, list[Ending]], earlier: Iterable[list[Ending]]) -> bool:
    """Whether what READY does to an attribute is done by the opening or by Hello too, and not taken back."""
    ended = {_last(one, name) for endings in told.values() for one in endings} - {None}
    return any(_last(one, name) in ended for endings in earlier for one in endings)


def _last(ending: Ending, name: str) -> tuple[str, Value] | None:
    """The last thing that was done to an attribute."""
    done = [
        (event.detail, event.value)
        for event in ending.state.events
        if event.kind in ("set", "touch", "more", "less") and event.detail.partition(".")[0] == name
    ]
    return done[-1] if done else None


def answered(adapter: Adapter, op: Known, event: Known, body: Table | Known) -> list[Ending]:
    """The ways of the reading function when a frame comes."""
    library = Library(payload=frame(op, event, Known(7), body))
    state = closed(begin(adapter.roles), is_closed=False)
    code = adapter.code
    marks = {"send_json", "send_str", "close", "abort", "loads", "call_later", "cancel", "set"}
    messages = {name for one in code.everything() for name in one.calls if "message" in name and name != "_parse_json"}
    return follow(code, adapter.roles.read, library, state, (marks | _private(adapter)) - messages)


def _private(adapter: Adapter) -> set[str]:
    """Attributes that the connection's own functions set: what handles a message is not followed."""
    roles = adapter.roles
    own = (roles.read, roles.opening, roles.listener, *((roles.beat,) if roles.beat else ()))
    return {roles.ws, *(name for one in own for name in one.calls if name.startswith("_"))}


def _timed(endings: list[Ending]) -> set[str]:
    """What a later cut depends on: the timer that is kept, or the fields that are looked at before."""
    found: set[str] = set()
    for ending in endings:
        own = ending.state.events
        later = [place for place, event in enumerate(own) if event.kind in ("later", "task")]
        cuts = [event for event in own[later[0] :] if event.kind in ("cut", "close")] if later else []
        if cuts:
            found |= {event.detail for event in own if event.kind == "set" and _is_timer(event.value)}
            found |= {name for event in cuts for name in event.decided}
    return found


def _is_timer(value: object) -> bool:
    return getattr(value, "name", "") in ("timer", "task")


def _asked_late(adapter: Adapter, endings: list[Ending]) -> set[str]:
    """What a timer's function looks at that cuts, or what a task waits for before it cuts."""
    found: set[str] = set()
    for ending in endings:
        own = ending.state.events
        if any(event.kind in ("cut", "close") and event.late for event in own):
            called = (event.detail for event in own if event.kind == "calls")
            found |= {name for one in called for name in adapter.code.reach.get(one, ())}
        waited = [place for place, event in enumerate(own) if event.kind == "waited"]
        if any(event.kind == "task" for event in own) and waited:
            cuts = [event for event in own[waited[0] :] if event.kind in ("cut", "close")]
            found |= {own[place].detail for place in waited} if cuts else set()
    return found


def _bounded_reads(adapter: Adapter) -> set[str]:
    """Attributes that hold the deadline which it reads in, or the time until which a message may take."""
    state = closed(begin(adapter.roles), is_closed=False)
    marks, asked = {"receive", adapter.roles.read.name}, {"until", "received", "set"}
    endings = follow(adapter.code, adapter.roles.listener, Library(), state, marks, asked)
    found = {event.detail for event in events(endings, "until")}
    if any(event.bounded for event in events(endings, "received")):
        found |= {event.detail for event in events(endings, "set") if event.value == Thing("deadline")}
    return found


FIELD, BEGIN, END, SECONDS = "_ready_deadline", "_begin_ready_deadline", "_end_ready_deadline", "READY_DEADLINE_SECONDS"


def change(adapter: Adapter, edit: Editor) -> None:
    """A timer from each connection on, which READY and RESUMED end; and a deadline for each step to connect again."""
    code, ws = adapter.code, f"self.{adapter.roles.ws}"
    opening = adapter.roles.opening
    connected = next((node for node in nodes(opening.node.body) if _sets(node, adapter.roles.ws, "ws_connect")), None)
    if connected is None:
        raise Refused(Say("the line that keeps the WebSocket was not found"))
    asyncio = edit.name_of("asyncio")
    edit.after(statement_of(opening, connected), f"self.{BEGIN}()")
    places = {id(node): node for node in (named(code, "READY")[1], named(code, "RESUMED")[1])}
    for node in places.values():
        edit.at_top(node.body, f"self.{END}()")
    _bound_steps(adapter, edit, asyncio)
    edit.fields[FIELD] = "None"
    edit.added[SECONDS] = (
        f"{SECONDS} = 30.0  # from a connection to READY or RESUMED, and for each step to connect again"
    )
    edit.added[CUT] = CUT_TEXT
    edit.methods[BEGIN] = f'''def {BEGIN}(self):
    """Cut the connection unless READY or RESUMED comes in {SECONDS}."""
    self.{END}()
    self.{FIELD} = {asyncio}.get_running_loop().call_later(
        {SECONDS}, {CUT}, {ws}
    )'''
    edit.methods[END] = f'''def {END}(self):
    """READY or RESUMED came, or there is a new connection."""
    if self.{FIELD} is not None:
        self.{FIELD}.cancel()
        self.{FIELD} = None'''


def _sets(node: cst.CSTNode, name: str, maker: str) -> bool:
    """`self.name = … maker(…)`."""
    return (
        isinstance(node, cst.Assign)
        and any(dotted(target.target) == f"self.{name}" for target in node.targets)
        and any(isinstance(part, cst.Attribute) and part.attr.value == maker for part in nodes(node.value))
    )


def _bound_steps(adapter: Adapter, edit: Editor, asyncio: str) -> None:
    """Where the listener connects again: httpx bounds each read of an answer, and nothing the whole."""
    code, roles = adapter.code, adapter.roles
    for function in code.everything():
        if roles.opening.name not in function.calls or function.name in ("connect", roles.opening.name):
            continue
        for node in nodes(function.node.body):
            own = _own_call(adapter, node)
            if own is not None:
                edit.replace(own, f"{asyncio}.wait_for({edit.source_of(own)}, {SECONDS})")


def _own_call(adapter: Adapter, node: cst.CSTNode) -> cst.Call | None:
    """The call in `await self.method(…)` that asks a server or opens the connection."""
    call = node.expression if isinstance(node, cst.Await) else None
    if not isinstance(call, cst.Call) or not dotted(call.func).startswith("self."):
        return None
    name = dotted(call.func).removeprefix("self.")
    reach = adapter.code.reach.get(name, frozenset())
    return call if reach & {"ws_connect", "raise_for_status", "json"} and name != adapter.roles.read.name else None
