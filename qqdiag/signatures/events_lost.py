"""F21: after a drop that could have been resumed the session was thrown away: what came in between is lost.

Nearest look-alike: the same drop, resumed. The platform then sends what was missed. The log tells them apart: after
code 4009 there is an Identify here, and a Resume there.
"""

from __future__ import annotations

from qqdiag.episodes import events_of
from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Say, Seconds, times
from qqdiag.snapshot import LogEvent, Logs
from qqdiag.waits import View

ID = "events-lost"
SEVERITY = Severity.DEGRADED
TITLE = "Sessions that could be resumed are thrown away"

RESUMABLE = 4009  # QQ: session expired, a Resume is allowed (bot-docs error-trace/websocket)
AGAIN = 2  # times: it is how this gateway does it, not an accident
DAY = 86400.0


def match(view: View) -> Match | NoMatch | Unknown:
    logs = view.logs
    if isinstance(logs, Missing):
        return Unknown((logs,))
    if logs is None:
        return NoMatch(Say("no profile names a log"))
    if lost := _lost(logs):
        return Match((_finding(lost),))
    return NoMatch(Say("no session was thrown away after code {code} in a day", code=RESUMABLE))


def _lost(logs: Logs) -> list[LogEvent]:
    """The sessions that were cleared after the code and followed by a new one, oldest first."""
    found: list[LogEvent] = []
    cleared: LogEvent | None = None
    for event in events_of(logs):
        word = event.event.reveal()
        if word == "session-cleared":
            cleared = event if event.numbers and int(event.numbers[0]) == RESUMABLE else None
        elif word in ("resume-sent", "resumed"):
            cleared = None
        elif word == "identified" and cleared is not None:
            found, cleared = [*found, cleared], None
    return [event for event in found if event.age <= DAY]


def _finding(lost: list[LogEvent]) -> Finding:
    again = len(lost) >= AGAIN
    because = Say("after code {code} the log has a new session where a Resume was allowed", code=RESUMABLE)
    return Finding(
        id=ID,
        severity=SEVERITY if again else Severity.INFO,
        confidence=Confidence.CERTAIN if again else Confidence.LIKELY,
        because=because,
        summary=Say(
            "Sessions that could have been resumed were thrown away ({count}): what came in between is lost.",
            count=len(lost),
        ),
        evidence=tuple(_evidence(lost)),
        ruled_out=(RuledOut("renewal", Say("a renewal is resumed, and what was missed is sent again")),),
    )


def _evidence(lost: list[LogEvent]) -> list[Evidence]:
    text = Say("a session was cleared after code {code} {times}", times=times(len(lost)), code=RESUMABLE)
    found = [seen("logs", text, "sessions")]
    found.append(seen("logs", Say("the last time {age} ago", age=Seconds(lost[-1].age)), "s"))
    if len(lost) >= AGAIN:
        found.append(seen("logs", Say("the first time {age} ago", age=Seconds(lost[0].age)), "s"))
    return found
