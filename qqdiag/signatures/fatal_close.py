"""F16: the service closed with a code after which connecting again is forbidden, and the adapter stopped on purpose.

Nearest look-alike: a listener that gave up after its last attempt. Both have a listener that is finished; only here
does the adapter itself keep a fatal error, and its log name one instead of a count of attempts.
"""

from __future__ import annotations

from qqdiag.episodes import events_of, last_episode
from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Say, Seconds
from qqdiag.snapshot import Adapter, Gateway, LogEvent, Logs, PlatformState, StateFile
from qqdiag.waits import View
from qqdiag.waits.listeners import unfinished

ID = "fatal-close"
SEVERITY = Severity.HANG
TITLE = "The service forbade the connection and the adapter stopped"

# bot-docs develop/api-v2/dev-prepare/error-trace/websocket: neither Resume nor Identify may follow these.
CODES = frozenset({4001, 4002, 4010, 4011, 4012, 4013, 4014, 4914, 4915})


def match(view: View) -> Match | NoMatch | Unknown:
    gateway = view.last.gateway
    if isinstance(gateway, Gateway) and gateway.adapters:
        found = [_finding(view, adapter) for adapter in gateway.adapters if _is_fatal(adapter)]
        return Match(tuple(found)) if found else NoMatch(Say("no adapter keeps a fatal error"))
    told = [event for event in _episode(view) if event.event.reveal() == "fatal"]
    if told and not isinstance(gateway, Gateway):
        return Match((_finding(view, None),))
    if not isinstance(gateway, Gateway):
        return Unknown(view.lacks("gateway"))
    return NoMatch(Say("there is no adapter that is known to keep its fatal error"))


def _is_fatal(adapter: Adapter) -> bool:
    """Whether it is one after which nobody tries again: some adapters say that of theirs."""
    truths = {one.name.reveal(): one.truth for one in adapter.attributes}
    return bool(truths.get("fatal")) and not truths.get("retryable")


def _episode(view: View) -> list[LogEvent]:
    """What the log says since its last authenticated session."""
    return last_episode(events_of(view.logs))


def _finding(view: View, adapter: Adapter | None) -> Finding:
    listener = adapter.listener if adapter is not None else None
    alive = listener in view.tasks and unfinished(view.tasks[listener]) if listener is not None else False
    if adapter is None:
        confidence, because = Confidence.POSSIBLE, Say("its log says so; what it does now could not be seen")
        summary = Say("The log's last word is of a fatal close by the service; nobody connects again.")
    elif alive:
        confidence, because = (
            Confidence.LIKELY,
            Say("the adapter keeps a fatal error, and its listener is not done yet"),
        )
        summary = Say("{type} keeps a fatal error, and its listener still runs.", type=adapter.type)
    else:
        confidence, because = Confidence.CERTAIN, Say("the adapter keeps a fatal error, and its listener is done")
        summary = Say("{type} was refused by its service and stopped for good: nobody reconnects.", type=adapter.type)
    return Finding(
        id=ID,
        severity=Severity.DEGRADED if alive else SEVERITY,
        confidence=confidence,
        because=because,
        summary=summary,
        evidence=tuple(_evidence(view, adapter)),
        ruled_out=(RuledOut("reconnecting", Say("no attempt is to follow")),),
        tasks=(listener,) if listener in view.tasks and listener is not None else (),
    )


def _evidence(view: View, adapter: Adapter | None) -> list[Evidence]:
    found = []
    if adapter is not None:
        found.append(seen("gateway", Say("the fatal error of {type} is set", type=adapter.type)))
    for event in _episode(view):
        if event.event.reveal() == "closed" and event.numbers:
            code = int(event.numbers[0])
            text = Say("closed with {code}, {age} ago", code=code, age=Seconds(event.age))
            found.append(seen("logs", _forbidden(text) if code in CODES else text, "close code"))
        if event.event.reveal() == "fatal":
            found.append(seen("logs", Say("the log says it is fatal, {age} ago", age=Seconds(event.age)), "s"))
    return found + [
        seen("logs", Say("the state file says {state}: {error}", state=one.state, error=one.error or one.state))
        for one in _platforms(view)
        if one.state.reveal() == "fatal"
    ]


def _forbidden(text: Say) -> Say:
    return Say("{text}, after which nobody may connect again", text=text)


def _platforms(view: View) -> list[PlatformState]:
    logs = view.logs
    state = logs.state if isinstance(logs, Logs) else None
    process = view.snapshot.pid
    return state.platforms if isinstance(state, StateFile) and state.pid in (None, process) else []
