"""F03: the task that reads the WebSocket is gone. The process lives on and hears nothing.

Nearest look-alike: a listener that is busy with a message. It holds the WebSocket in a frame that will receive again;
here no unfinished task has such a frame, in both samples, while bytes wait unread.
"""

from __future__ import annotations

from dataclasses import replace

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown
from qqdiag.model import Bytes, Missing, Name, Say
from qqdiag.snapshot import Adapter, Gateway, Socket, WebSocket
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.listeners import is_open, readers, unfinished

ID = "dead-listener"
SEVERITY = Severity.HANG
TITLE = "No task reads the WebSocket any more"


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    gateway = view.last.gateway
    named = [
        f for adapter in (gateway.adapters if isinstance(gateway, Gateway) else []) if (f := _adapter(view, adapter))
    ]
    if named:
        return Match(tuple(named))
    answers = [_websocket(view, ws) for ws in view.websockets if is_open(ws)]
    found = [answer for answer in answers if isinstance(answer, Finding)] or _failed(view)
    if found:
        return Match(tuple(found))
    lacks = tuple(answer for answer in answers if isinstance(answer, Missing)) or view.lacks("gateway")
    return Unknown(lacks) if lacks else NoMatch(Say("each open WebSocket has a task that reads it"))


def _adapter(view: View, adapter: Adapter) -> Finding | None:
    """By a profile: the adapter still refers to its listener task, and that task is finished."""
    task = view.tasks.get(adapter.listener or 0)
    if task is None or unfinished(task):
        return None
    because = Say(
        "the adapter's own listener task is {state}, and only that task reads and reconnects", state=task.state
    )
    summary = Say(
        "The listener of {type} is {state}: nobody reads its WebSocket and nobody reconnects.",
        type=adapter.type,
        state=task.state,
    )
    websocket = next((ws for ws in view.websockets if ws.address == adapter.websocket), None)
    found = _finding(Confidence.CERTAIN, because, summary, task.address, _evidence(view, websocket))
    told = {a.name.reveal(): a.truth for a in adapter.attributes}
    notes = [
        Evidence(Say("its attribute {name} is {truth}", name=a.name, truth=a.truth), "gateway")
        for a in adapter.attributes
        if a.truth is not None
    ]
    fatal = (Alternative("fatal-close", Say("the adapter stopped on purpose: see the close code in its log")),)
    return replace(found, evidence=(*found.evidence, *notes), alternatives=fatal if told.get("fatal") else ())


def _websocket(view: View, websocket: WebSocket) -> Finding | Missing | None:
    """Without a profile: an open WebSocket that no unfinished task reads."""
    if readers(view, websocket) or websocket.fd is None:
        return None
    row = view.sockets.get(websocket.fd)
    unread = _unread(view, websocket, row)
    if unread is None:
        return (view.lacks("sockets") or (ONE_SAMPLE,))[0]
    if row is not None and row.state.reveal() not in ("ESTAB", "CLOSE-WAIT"):
        return None
    if view.before is None:
        return ONE_SAMPLE
    if not unread or not _unread_before(view, websocket):
        return None
    because = Say("no unfinished task has a frame that receives from it, in both samples, and bytes wait unread")
    summary = Say(
        "No task reads the open {type} (fd {fd}): {unread} wait in it.",
        type=websocket.type,
        fd=websocket.fd,
        unread=Bytes(unread),
    )
    return _finding(Confidence.CERTAIN, because, summary, None, _evidence(view, websocket))


def _unread(view: View, websocket: WebSocket, row: Socket | None) -> int | None:
    """Bytes that have come and that nobody took: in the library's queue and in the kernel's."""
    if row is None and websocket.unread is None:
        return None
    waiting = (row.receive_queue or 0) if row is not None else 0
    return (websocket.unread or 0) + waiting


def _unread_before(view: View, websocket: WebSocket) -> bool:
    """Whether it was there in the earlier sample, with bytes unread and without a reader."""
    gateway = view.earlier.gateway if view.earlier else None
    old = [ws for ws in gateway.websockets if ws.address == websocket.address] if isinstance(gateway, Gateway) else []
    if not old or old[0].fd is None:
        return False
    read = any(address in view.tasks_before and unfinished(view.tasks_before[address]) for address in old[0].readers)
    return not read and bool(_unread(view, old[0], view.sockets_before.get(old[0].fd)))


def _failed(view: View) -> list[Finding]:
    """A listener that ended by an exception which nobody fetched, and that no other task replaced."""
    gateway = view.last.gateway
    listeners = gateway.listeners if isinstance(gateway, Gateway) else []
    names = {task.chain[0].name for task in view.tasks.values() if unfinished(task) and task.chain}
    found = []
    for task in (view.tasks[address] for address in listeners if address in view.tasks):
        if unfinished(task) or not task.chain or task.chain[0].name in names:
            continue
        error = task.exception or Name("Exception")
        because = Say("its code receives from a WebSocket, no other task runs it, and nobody fetched its exception")
        summary = Say("The listener {name} ended by {error}, and nobody noticed.", name=task.chain[0].name, error=error)
        found.append(_finding(Confidence.LIKELY, because, summary, task.address, ()))
    return found


def _finding(
    confidence: Confidence, because: Say, summary: Say, task: int | None, evidence: tuple[Evidence, ...]
) -> Finding:
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=confidence,
        because=because,
        summary=summary,
        evidence=evidence,
        ruled_out=(
            RuledOut("half-open", Say("the connection is not the cause: no task would see what arrives on it")),
        ),
        tasks=(task,) if task is not None else (),
    )


def _evidence(view: View, websocket: WebSocket | None) -> tuple[Evidence, ...]:
    if websocket is None:
        return (Evidence(Say("the adapter holds no WebSocket"), "gateway"),)
    row = view.sockets.get(websocket.fd) if websocket.fd is not None else None
    found = [
        Evidence(Say("{count} unfinished tasks read its WebSocket", count=len(readers(view, websocket))), "gateway")
    ]
    if websocket.unread is not None:
        queued = Bytes(websocket.unread)
        found.append(Evidence(Say("{queued} wait in the library's own queue", queued=queued), "gateway", queued, "B"))
    if row is not None:
        text = Say(
            "fd {fd} is {state}, {queue} unread in the kernel",
            fd=row.fd,
            state=row.state,
            queue=Bytes(row.receive_queue or 0),
        )
        found.append(Evidence(text, "sockets", Bytes(row.receive_queue or 0), "B"))
    return tuple(found)
