"""F05: the heartbeat task has ended while the connection stands: the service drops it after a minute, again and again.

Nearest look-alike: a heartbeat task asleep between two beats, half a minute long. It is not done, and the last byte
left within its interval.
"""

from __future__ import annotations

from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Say, Seconds, Word
from qqdiag.snapshot import Adapter, Gateway, Task, WebSocket
from qqdiag.waits import View
from qqdiag.waits.listeners import is_open, unfinished
from qqdiag.waits.silence import period_of
from qqdiag.waits.traffic import tcp_of

ID = "heartbeat-dead"
SEVERITY = Severity.DEGRADED  # it heals and comes again; with no data in flight it may also stay silent for ever
TITLE = "No task sends heartbeats any more"

OVERDUE = 1.2  # intervals since the last byte left: a beat has been left out


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python", "gateway"):
        return Unknown(lacks)
    answers = [_judge(view, adapter, ws) for adapter, ws in _connected(view)]
    if found := [answer for answer in answers if isinstance(answer, Finding)]:
        return Match(tuple(found))
    if unknown := [answer for answer in answers if isinstance(answer, Missing)]:
        return Unknown(tuple(dict.fromkeys(unknown)))
    if answers:
        return NoMatch(Say("the heartbeat task of each connected adapter is at work"))
    return NoMatch(Say("no adapter whose heartbeat task is known has an open WebSocket"))


def _connected(view: View) -> list[tuple[Adapter, WebSocket]]:
    gateway = view.last.gateway
    adapters = gateway.adapters if isinstance(gateway, Gateway) else []
    opened = {ws.address: ws for ws in view.websockets if is_open(ws)}
    known = [one for one in adapters if one.heartbeat is not None]
    return [(one, opened[one.websocket]) for one in known if one.websocket is not None and one.websocket in opened]


def _judge(view: View, adapter: Adapter, websocket: WebSocket) -> Finding | Missing | None:
    task = view.tasks.get(adapter.heartbeat or 0)
    if task is None:
        return view.torn[0] if view.torn else None
    return None if unfinished(task) else _finding(view, adapter, websocket, task)


def _finding(view: View, adapter: Adapter, websocket: WebSocket, task: Task) -> Finding:
    figures, period = tcp_of(view, websocket.fd), period_of(adapter, websocket)
    sent = figures[1].last_data_sent if figures else None
    overdue = sent is not None and period is not None and sent > OVERDUE * period
    because = Say("the adapter's own heartbeat task is {state}, and its connection stands", state=task.state)
    if overdue:
        because = Say("{because}; a beat was left out already", because=because)
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=Confidence.CERTAIN if overdue else Confidence.LIKELY,
        because=because,
        summary=Say(
            "The heartbeat task of {type} is {state} while its WebSocket is open: the service will drop it.",
            type=adapter.type,
            state=task.state,
        ),
        evidence=tuple(_evidence(task, sent, period)),
        ruled_out=(
            RuledOut("loop-blocked", Say("the task is done, it does not wait for the loop")),
            RuledOut("missing-ack", Say("nothing is sent that could be answered")),
        ),
        tasks=(task.address,),
        sockets=(websocket.fd,) if websocket.fd is not None else (),
    )


def _evidence(task: Task, sent: float | None, period: float | None) -> list[Evidence]:
    found = [seen("python", Say("the heartbeat task is {state}", state=task.state))]
    if task.state == Word("failed") and task.exception is not None:
        found.append(seen("python", Say("it ended by {error}", error=task.exception)))
    if sent is not None:
        found.append(seen("sockets", Say("the last byte left {ago} ago", ago=Seconds(sent)), "s"))
    if period is not None:
        found.append(seen("gateway", Say("a beat is due every {period}", period=Seconds(period)), "s"))
    return found
