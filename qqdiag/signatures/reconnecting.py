"""F12: no connection, and the adapter does what it should: it sleeps before its next attempt. The fault is elsewhere.

Nearest look-alike: a listener that is asleep with its WebSocket open, busy with a message. What separates them is the
number of open WebSockets of the adapter: none here.
"""

from __future__ import annotations

from qqdiag.episodes import HEALTHY, events_of, last_episode
from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Say, Seconds
from qqdiag.snapshot import Gateway, LogEvent
from qqdiag.waits import View
from qqdiag.waits.reconnects import BackOff, back_offs

ID = "reconnecting"
SEVERITY = Severity.DEGRADED
TITLE = "The adapter has no connection and waits for its next attempt"

SHORT = 5.0  # seconds; the pause after an ordinary drop is shorter


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python", "gateway"):
        return Unknown(lacks)
    if found := [_finding(view, back_off) for back_off in back_offs(view)]:
        return Match(tuple(found))
    if isinstance(view.last.gateway, Gateway) and not view.last.gateway.adapters:
        return NoMatch(Say("there is no adapter whose listener is known"))
    return NoMatch(Say("no adapter is without a WebSocket and asleep"))


def _finding(view: View, back_off: BackOff) -> Finding:
    short = back_off.left < SHORT
    because = Say("its listener sleeps until a timer of the event loop, and it has no open WebSocket")
    return Finding(
        id=ID,
        severity=Severity.INFO if short else SEVERITY,
        confidence=Confidence.CERTAIN,
        because=because,
        summary=Say(
            "{type} has no connection; its next attempt is in {left}.",
            type=back_off.adapter.type,
            left=Seconds(back_off.left),
        ),
        evidence=tuple(_evidence(view, back_off)),
        ruled_out=(
            RuledOut(
                "dead-listener", Say("its listener lives, a timer wakes it in {left}", left=Seconds(back_off.left))
            ),
            RuledOut("reconnect-stuck", Say("it is asleep before an attempt, not in one")),
        ),
        tasks=(back_off.task.address,),
    )


def _evidence(view: View, back_off: BackOff) -> list[Evidence]:
    opened = sum(ws.closed is False for ws in view.websockets if ws.address == back_off.adapter.websocket)
    left = Seconds(back_off.left)
    found = [
        seen("python", Say("a timer wakes its listener in {left}", left=left), "s"),
        seen("gateway", Say("{count} open WebSockets of the adapter", count=opened), "WebSockets"),
    ]
    episode = _episode(view)
    failed = [event for event in episode if event.event.reveal() == "reconnect-failed"]
    if failed:
        text = Say("attempts that failed: {count}, the last {ago} ago", count=len(failed), ago=Seconds(failed[-1].age))
        found.append(seen("logs", text, "attempts"))
    if episode and episode[0].event.reveal() in HEALTHY:
        found.append(seen("logs", Say("its last session was well {ago} ago", ago=Seconds(episode[0].age)), "s"))
    return found


def _episode(view: View) -> list[LogEvent]:
    """What the log says since its last authenticated session."""
    return last_episode(events_of(view.logs))
