"""F17: the gateway calls an adapter's `connect()` in a way that this one does not know: two versions in one program.

Nearest look-alike: an adapter whose connect fails for the network's sake. That is tried again and may succeed; here the
call itself is refused by the interpreter, and a process does not change its code. What separates them is the number of
attempts since its start that never began: one is enough.
"""

from __future__ import annotations

from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Say, Seconds
from qqdiag.snapshot import Gateway, LogEvent, Logs, PlatformState, StateFile
from qqdiag.waits import View

ID = "connect-broken"
SEVERITY = Severity.HANG
TITLE = "A platform's connect() does not fit the gateway that calls it"

REFUSED = ("connect-refused", "connect-given-up")  # words of a profile's phrases: the interpreter refused the call
OUTSIDE = "connect-failed"  # the call began, and failed
WAITING = ("retrying", "paused")  # states of a platform that is to be tried again


def match(view: View) -> Match | NoMatch | Unknown:
    logs = view.logs
    if isinstance(logs, Missing):
        return Unknown((logs,))
    if logs is None:
        return NoMatch(Say("no profile names a log"))
    if refused := _events(logs, *REFUSED):
        return Match((_finding(view, logs, refused),))
    failed = len(_events(logs, OUTSIDE))
    return NoMatch(
        Say("no attempt to connect was refused by the interpreter; {failed} failed otherwise", failed=failed)
    )


def _events(logs: Logs, *words: str) -> list[LogEvent]:
    """What it said of them, oldest first, in the file that has most of it."""
    files = [[one for one in file.events if one.event.reveal() in words] for file in logs.files]
    most: list[LogEvent] = max(files, key=len, default=[])
    return sorted(most, key=lambda event: -event.age)


def _finding(view: View, logs: Logs, refused: list[LogEvent]) -> Finding:
    count, given_up = len(refused), any(event.event.reveal() == "connect-given-up" for event in refused)
    summary = Say("A platform cannot connect: its connect() does not take what the gateway passes to it.")
    if given_up:
        summary = Say("A platform cannot connect and is given up: its connect() does not take what the gateway passes.")
    because = Say("the interpreter refused the call before it began, and a running program's code does not change")
    return Finding(
        id=ID,
        severity=SEVERITY,
        confidence=Confidence.CERTAIN,
        because=because,
        summary=summary,
        evidence=tuple(_evidence(view, logs, refused)),
        ruled_out=(
            RuledOut("reconnecting", Say("attempts that never came as far as the network: {count}", count=count)),
            RuledOut("fatal-close", Say("no connection was made that a service could close")),
        ),
    )


def _evidence(view: View, logs: Logs, refused: list[LogEvent]) -> list[Evidence]:
    first, last = Seconds(refused[0].age), Seconds(refused[-1].age)
    found = [
        seen("logs", Say("calls of connect() that were refused, by the log: {count}", count=len(refused)), "attempts")
    ]
    found.append(seen("logs", Say("the first {first} ago, the last {last} ago", first=first, last=last), "s"))
    for one in _waiting(view, logs):
        found.append(seen("logs", Say("the state file says {state} of {platform}", state=one.state, platform=one.name)))
    gateway = view.last.gateway
    if isinstance(gateway, Gateway):
        text = Say(
            "adapters with a WebSocket: {count}", count=sum(one.websocket is not None for one in gateway.adapters)
        )
        found.append(seen("gateway", text, "adapters"))
    return found


def _waiting(view: View, logs: Logs) -> list[PlatformState]:
    """Platforms that are to be tried again, where the state file is of this process."""
    state, pid = logs.state, view.snapshot.pid
    if not isinstance(state, StateFile) or state.pid not in (None, pid):
        return []
    return [one for one in state.platforms if one.state.reveal() in WAITING]
