"""heartbeat-ack: heartbeats that stay unanswered are counted, and end the connection."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.beating import ENDS, MOST, connected, first, is_cut, is_known, turned
from qqdiag.patch.code import Function, nodes
from qqdiag.patch.constants import dotted
from qqdiag.patch.edits import Editor, inner
from qqdiag.patch.endings import Ending, distinct, events
from qqdiag.patch.finding import around, asks, everywhere
from qqdiag.patch.judged import HAS, Adapter, Judged, Place, Refused, cannot_tell, frame, lacks
from qqdiag.patch.roles import number, ops_of
from qqdiag.patch.situations import Library, begin, closed, follow
from qqdiag.patch.values import NONE, Known

ID = "heartbeat-ack"
NO_OP = 99


def judge(adapter: Adapter) -> Judged:
    """What op 11 changes must be what the heartbeat looks at before it cuts."""
    code, beat = adapter.code, adapter.roles.beat
    if beat is None:
        return cannot_tell(Say("no task that sends op 1 was found"))
    beating = follow(code, beat, Library(), closed(begin(adapter.roles), is_closed=False))
    answered = changed(adapter, 11) - changed(adapter, NO_OP)
    cuts = [event for kind in ENDS for event in events(beating, kind)]
    watched = {name for event in cuts if not event.late for name in event.decided} & answered
    timed = timers(beating) & answered if any(event.late for event in cuts) else set()
    line = next((event.line for event in events(beating, "send")), code.line(beat.node))
    if not answered:
        return lacks(Place(line, Say("op 11, the answer to this heartbeat, changes nothing")))
    if not watched | timed:
        return lacks(Place(line, Say("nothing ends the connection when this heartbeat stays unanswered")))
    by_clock = any("#time" in event.decided for event in cuts if event.decided & watched)
    wrong = _in_turns(adapter, watched) if watched and not by_clock else None
    if wrong is None:
        counted = timed | watched if by_clock else timed | raised(beating)
        wrong = _by_its_look(adapter, beating, watched | timed, counted)
    return lacks(Place(line, wrong)) if wrong.template else HAS


FINE = Say("")


def _in_turns(adapter: Adapter, watched: set[str]) -> Say | None:
    """What is wrong after many turns. None: what it counts with is not known well enough."""
    start = connected(adapter, first(adapter, watched))
    if not is_known(start, watched):
        return None
    silent = [one for state in start for one in turned(adapter, state, MOST + 2, answered=False)]
    heard = [one for state in start for one in turned(adapter, state, MOST + 2, answered=True)]
    if not is_known((one.state for one in (*silent, *heard)), watched):
        return None
    if not all(is_cut(one) for one in silent):
        return Say("many heartbeats that stay unanswered do not end the connection")
    if any(is_cut(one) for one in heard):
        return Say("the connection is cut although this heartbeat is answered")
    again = distinct(after for one in silent for after in connected(adapter, one.state))
    if any(is_cut(one) for state in again for one in turned(adapter, state, 3, answered=True)):
        return Say("the count is not set back for a new connection")
    return FINE


def _by_its_look(adapter: Adapter, beating: list[Ending], watched: set[str], counted: set[str]) -> Say:
    if not watched & counted:
        return Say("nothing counts this heartbeat as unanswered")
    if not any(_bounded(adapter, name) for name in watched):
        return Say("so many unanswered heartbeats are allowed that none of them counts")
    if not _set_back(adapter, beating, watched):
        return Say("the count is not set back for a new connection")
    return FINE


def timers(endings: list[Ending]) -> set[str]:
    """Attributes that a timer or a task is kept in."""
    return {event.detail for event in events(endings, "set") if getattr(event.value, "name", "") in ("timer", "task")}


def _marks(adapter: Adapter) -> set[str]:
    return {"send_json", "send_str", "abort", "close", adapter.roles.ws}


def changed(adapter: Adapter, op: int) -> set[str]:
    """Attributes that a frame with this op changes."""
    library = Library(payload=frame(Known(op), NONE, NONE, NONE))
    state = closed(begin(adapter.roles), is_closed=False)
    return names(follow(adapter.code, adapter.roles.read, library, state))


def names(endings: list[Ending]) -> set[str]:
    """Attributes that are set, counted or told something on these ways."""
    kinds = ("set", "more", "less", "touch")
    return {event.detail.partition(".")[0] for kind in kinds for event in events(endings, kind)}


def raised(endings: list[Ending]) -> set[str]:
    """Attributes that are counted up on these ways: set to what is not zero, or told something."""
    sets = {event.detail for event in events(endings, "set") if event.value not in (Known(0), NONE)}
    others = {event.detail.partition(".")[0] for kind in ("more", "touch") for event in events(endings, kind)}
    return sets | others


def _bounded(adapter: Adapter, name: str) -> bool:
    """False when it is compared with a number that is never reached."""
    for function in adapter.code.everything():
        for node in nodes(function.node.body):
            if isinstance(node, cst.Comparison):
                sides = [node.left, *(one.comparator for one in node.comparisons)]
                limits = [number(adapter.code, side) for side in sides]
                if any(limit is not None and limit > MOST for limit in limits) and any(
                    isinstance(part, cst.Attribute) and part.attr.value == name
                    for side in sides
                    for part in nodes(side)
                ):
                    return False
    return True


def _set_back(adapter: Adapter, beating: list[Ending], watched: set[str]) -> bool:
    """In the heartbeat when it cuts, at Hello, or where the connection is opened."""
    roles = adapter.roles
    opening = follow(adapter.code, roles.opening, Library(), closed(begin(roles)), _marks(adapter))
    at_cut = {event.detail for event in events(beating, "set") if event.value in (Known(0), NONE)}
    at_cut |= {event.detail.removesuffix(".clear") for event in events(beating, "touch")}
    at_cut |= {event.detail.partition(".")[0] for event in events(beating, "touch") if event.detail.endswith("cancel")}
    return bool(watched & (at_cut | names(opening) | (changed(adapter, 10) - changed(adapter, NO_OP))))


FIELD = "_unanswered_heartbeats"
CUT = "_cut_connection"
CUT_TEXT = f'''def {CUT}(ws):
    """Abort the connection of a WebSocket: whoever reads or writes on it is woken."""
    connection = getattr(getattr(ws, "_response", None), "connection", None)
    transport = getattr(connection, "transport", None)
    if transport is not None:
        transport.abort()'''


def change(adapter: Adapter, edit: Editor) -> None:
    """Counted before each heartbeat, set back by each answer and each Hello; two that are unanswered cut."""
    ws = f"self.{adapter.roles.ws}"
    function, send = _sending(adapter)
    loops = [node for node in around(function, send) if isinstance(node, cst.While)]
    if not loops:
        raise Refused(Say("the loop that sends heartbeats was not found"))
    inside = around(function, send)
    statement = inside[inside.index(loops[-1].body) + 1]
    pause = next((node for node in nodes(loops[-1].body) if _is_sleep(node)), None)
    asyncio = edit.name_of("asyncio")
    edit.before(
        statement,
        f"""if self.{FIELD} >= 2:
    {inner(edit.log("warning", "%d heartbeats unanswered, cutting the connection", f"self.{FIELD}"))}
    self.{FIELD} = 0
    {CUT}({ws})
    continue
self.{FIELD} += 1""",
    )
    if isinstance(pause, cst.Call):  # a send that waits for a peer which reads nothing is cut too, and not cancelled
        seconds = edit.source_of(pause.args[0].value)
        edit.before(statement, f"stuck = {asyncio}.get_running_loop().call_later({seconds}, {CUT}, {ws})")
        edit.after(statement, "stuck.cancel()")
    for op in (10, 11):
        edit.at_top(asks(adapter, op)[1].body, f"self.{FIELD} = 0")
    edit.fields[FIELD] = "0"
    edit.added[CUT] = CUT_TEXT


def _sending(adapter: Adapter) -> tuple[Function, cst.CSTNode]:
    """The one heartbeat that is sent."""
    found = [
        (function, node)
        for function, node in everywhere(adapter.code)
        if isinstance(node, cst.Dict) and 1 in ops_of(adapter.code, node)
    ]
    if len(found) != 1:
        raise Refused(Say("the one place where it sends op 1 was not found"))
    return found[0]


def _is_sleep(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Call) and dotted(node.func).rpartition(".")[2] == "sleep" and bool(node.args)
