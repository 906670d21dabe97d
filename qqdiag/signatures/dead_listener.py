"""F03: the task that reads the WebSocket is gone. The process lives on and hears nothing.

Nearest look-alike: a listener that is busy with a message. It holds the WebSocket in a frame that will receive again;
here no unfinished task has such a frame, in both samples, while bytes wait unread.
"""

from __future__ import annotations

from qqdiag.episodes import events_of, last_episode
from qqdiag.finding import (
    Alternative,
    Confidence,
    Evidence,
    Finding,
    Match,
    NoMatch,
    RuledOut,
    Severity,
    Unknown,
    seen,
    told_by_log,
)
from qqdiag.model import Bytes, Missing, Name, Say, Seconds
from qqdiag.snapshot import Adapter, Gateway, LogEvent, Task, WebSocket
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.listeners import failed_listeners, is_open, readers, unfinished, unread, unread_before
from qqdiag.waits.outside import last_word

ID = "dead-listener"
SEVERITY = Severity.HANG
TITLE = "No task reads the WebSocket any more"

GAVE_UP = "gave-up"  # word of a profile's phrase: it was the last attempt


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python", "gateway"):
        said = last_word(view) if view.python is None else None
        return Match((_gave_up(said),)) if said and said.event.reveal() == GAVE_UP else Unknown(lacks)
    gateway = view.last.gateway
    adapters = gateway.adapters if isinstance(gateway, Gateway) else []
    if named := [one for adapter in adapters if (one := _adapter(view, adapter)) is not None]:
        return Match(tuple(named))
    answers = [_websocket(view, websocket) for websocket in view.websockets if is_open(websocket)]
    failed = [] if view.torn else failed_listeners(view)  # the task that replaced it may have been missed
    if found := [one for one in answers if isinstance(one, Finding)] or [_failed(task) for task in failed]:
        return Match(tuple(found))
    lacks = tuple(answer for answer in answers if isinstance(answer, Missing)) or view.torn
    return Unknown(lacks) if lacks else NoMatch(Say("each open WebSocket with unread bytes has a task that reads it"))


def _adapter(view: View, adapter: Adapter) -> Finding | None:
    """By a profile: the adapter still refers to its listener task, and that task is finished."""
    task = view.tasks.get(adapter.listener or 0)
    if task is None or unfinished(task):
        return None
    because = Say("the adapter's own listener is {state}, and only it reads and reconnects", state=task.state)
    summary = Say(
        "The listener of {type} is {state}: nobody reads its WebSocket and nobody reconnects.",
        type=adapter.type,
        state=task.state,
    )
    notes = [
        seen("gateway", Say("the adapter's {name}: {truth}", truth=attribute.truth, name=attribute.name))
        for attribute in adapter.attributes
        if attribute.truth is not None and attribute.name.reveal() in _TELLING
    ]
    websocket = next((ws for ws in view.websockets if ws.address == adapter.websocket), None)
    evidence = (*(_evidence(view, websocket) if websocket else ()), *notes, *_log(view))
    return _finding(Confidence.CERTAIN, because, summary, evidence, task.address)


def _gave_up(said: LogEvent) -> Finding:
    """Without the memory, by the log: after its last attempt a listener ends, and nothing begins a new one."""
    because = Say("its log says so and names no connection since; whether its task is gone could not be seen")
    summary = Say("The listener gave up {age} ago, and has not connected since.", age=Seconds(said.age))
    return told_by_log(ID, Confidence.LIKELY, because, summary, said.event, said.age)


_TELLING = ("running", "websocket", "fatal")  # attributes that say whether it means to listen


def _log(view: View) -> tuple[Evidence, ...]:
    """Where the log's last reconnect ended, when it names no session since."""
    episode = last_episode(events_of(view.logs))
    ends = [event for event in episode if event.event.reveal() in ("gave-up", "fatal", "disconnected")]
    return tuple(
        seen("logs", Say("the log says {event}, {age} ago", event=event.event, age=Seconds(event.age)), "s")
        for event in ends[-1:]
    )


def _websocket(view: View, websocket: WebSocket) -> Finding | Missing | None:
    """Without a profile: an open WebSocket that no unfinished task reads, while bytes wait in it."""
    if readers(view, websocket) or websocket.fd is None:
        return None
    waiting = unread(view, websocket)
    if not waiting:
        return (view.lacks("sockets") or (ONE_SAMPLE,))[0] if waiting is None else None
    if view.before is None:
        return ONE_SAMPLE
    if not unread_before(view, websocket) or view.torn:
        return view.torn[0] if view.torn else None
    because = Say("in both samples no unfinished task has a frame that receives from it, and bytes wait unread")
    summary = Say(
        "No task reads the open {type} (fd {fd}): {unread} wait in it.",
        type=websocket.type,
        fd=websocket.fd,
        unread=Bytes(waiting),
    )
    if websocket.maybe_readers:
        because = Say("a task that holds it calls methods that receive; it may be busy with a message")
        return _finding(Confidence.POSSIBLE, because, summary, _evidence(view, websocket), None, _BUSY)
    return _finding(Confidence.CERTAIN, because, summary, _evidence(view, websocket))


_BUSY = (Alternative("slow-handler", Say("a second look in a minute: a listener that was busy will have read on")),)


def _failed(task: Task) -> Finding:
    """A listener that ended by an exception which nobody fetched, and that no other task replaced."""
    name, error = task.chain[0].name, task.exception or Name("Exception")
    because = Say("its code receives from a WebSocket, no other task runs it, and nobody fetched its exception")
    summary = Say("The listener {name} ended by {error}, and nobody noticed.", name=name, error=error)
    evidence = (seen("python", Say("the task ended by {error}, which nobody fetched", error=error)),)
    return _finding(Confidence.LIKELY, because, summary, evidence, task.address)


def _finding(
    confidence: Confidence,
    because: Say,
    summary: Say,
    evidence: tuple[Evidence, ...],
    task: int | None = None,
    alternatives: tuple[Alternative, ...] = (),
) -> Finding:
    return Finding(
        id=ID,
        severity=Severity.DEGRADED if confidence is Confidence.POSSIBLE else SEVERITY,
        confidence=confidence,
        because=because,
        summary=summary,
        evidence=evidence,
        ruled_out=(RuledOut("half-open", Say("whatever arrives, no task would see it")),),
        alternatives=alternatives,
        tasks=(task,) if task is not None else (),
    )


def _evidence(view: View, websocket: WebSocket) -> tuple[Evidence, ...]:
    row = view.sockets.get(websocket.fd) if websocket.fd is not None else None
    found = [seen("gateway", Say("{count} tasks read its WebSocket", count=len(readers(view, websocket))), "tasks")]
    if websocket.unread is not None:
        found.append(
            seen("gateway", Say("{queued} wait in the library's own queue", queued=Bytes(websocket.unread)), "B")
        )
    if row is not None:
        queue = Bytes(row.receive_queue or 0)
        text = Say("{queue} unread in the kernel, fd {fd}, {state}", queue=queue, fd=row.fd, state=row.state)
        found.append(seen("sockets", text, "B"))
    return tuple(found)
