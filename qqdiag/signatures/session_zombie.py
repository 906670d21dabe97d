"""F08: the adapter resumes a session that the service no longer has: connected, answered at heartbeats, and no event.

Nearest look-alike: a resumed session that has nothing to tell. There RESUMED came, which is an event and has a number:
one or more since the Resume; here none. A session that was never made is `not-ready`: that adapter has none to resume.
"""

from __future__ import annotations

from itertools import pairwise

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Say, Seconds
from qqdiag.snapshot import Adapter, WebSocket
from qqdiag.waits import View
from qqdiag.waits.listeners import in_library_receive, is_open
from qqdiag.waits.loops import turns
from qqdiag.waits.resumes import Resumes, adapters, events_since, resumes
from qqdiag.waits.silence import silences
from qqdiag.waits.traffic import tcp_of

ID = "session-zombie"
SEVERITY = Severity.HANG
TITLE = "A session that the service no longer has is resumed in vain"

AGAIN = 3  # Resumes in a row without an answer; one or two may be bad luck with the connection
ONGOING = 3.0  # times the longest pause between them since the last: later it has ended
LONG = 20.0  # seconds since a Resume; RESUMED comes within two
SEGMENTS = 4  # with data from the peer: the upgrade's answer, Hello, and at least two answers to heartbeats
EXPECTED = 20.0  # events that would have come by now at the rate before: chance does not explain that none did


def match(view: View) -> Match | NoMatch | Unknown:
    if isinstance(view.logs, Missing):
        return Unknown((view.logs,))
    sent = resumes(view)
    if sent is None:
        return NoMatch(Say("its log has no Resume, or no profile names a log"))
    if found := _again(view, sent) or _waiting(view, sent) or _quiet(view, sent):
        return Match((found,))
    if sent.ages and not sent.lost and (lacks := view.lacks("python", "gateway")):
        return Unknown(lacks)
    return NoMatch(Say("the last Resume was answered, or an event has come since"))


def _again(view: View, sent: Resumes) -> Finding | None:
    """Cut after each Resume, and the same one again."""
    ages = sent.ages
    if len(ages) < AGAIN or sent.moved:
        return None
    apart = [before - after for before, after in pairwise(ages)]
    if ages[-1] > max(LONG, ONGOING * max(apart)):
        return None
    count, since = len(ages), Seconds(ages[0])
    because = Say("{count} Resumes in a row were not answered, and no event came between them", count=count)
    confidence = Confidence.LIKELY if adapters(view) else Confidence.POSSIBLE
    summary = Say("The same session was resumed {count} times in {since} and never taken.", count=count, since=since)
    return _finding(SEVERITY, confidence, because, summary, tuple(_resumed(sent)), _of(view), _PATH)


def _waiting(view: View, sent: Resumes) -> Finding | None:
    """The connection stands, its Resume was not answered."""
    if not sent.ages or sent.lost:
        return None
    if not view.lacks("python", "gateway"):
        pairs = [(one, ws) for one in adapters(view) for ws in view.websockets if ws.address == one.websocket]
        open_ = [(one, ws) for one, ws in pairs if not events_since(one, sent) and _listens(view, one, ws)]
        return _unanswered(view, sent, *open_[0]) if open_ else None
    if sent.ages[-1] < LONG:
        return None
    because = Say("its log says so; what the adapter does now could not be seen")
    return _finding(Severity.DEGRADED, Confidence.POSSIBLE, because, _DEAF, tuple(_resumed(sent)), (), _PATH)


_DEAF = Say("A session was resumed and the service did not answer: no message will come.")
_PATH = (Alternative("proxy", Say("a connection past whatever is on the way: whether a Resume is answered there")),)
_IDLE = (Alternative("idle", Say("a test message to the bot: whether an event comes")),)


def _listens(view: View, adapter: Adapter, websocket: WebSocket) -> bool:
    """Whether an answer would be seen, and the peer is there: one that answers nothing at all is `missing-ack`."""
    task = view.tasks.get(adapter.listener or 0)
    listens = task is not None and in_library_receive(view, task) and turns(view, task)
    return listens and is_open(websocket) and all(one.count < 2 for one in silences(view, [websocket]))


def _unanswered(view: View, sent: Resumes, adapter: Adapter, websocket: WebSocket) -> Finding:
    severity, confidence, because = _grade(view, sent, adapter, websocket)
    summary = Say("{type} resumed its session and got no answer: no message will come.", type=adapter.type)
    evidence = [*_resumed(sent)]
    if (figures := tcp_of(view, websocket.fd)) is not None:
        tcp = figures[1]
        received, segments = Seconds(tcp.last_data_received), tcp.segments_in or 0
        text = Say("last received {ago} ago, {segments} segments in all", ago=received, segments=segments)
        evidence.append(seen("sockets", text, "s"))
    if events_since(adapter, sent) is not None:
        evidence.append(seen("gateway", Say("{count} events have come since, by their numbers", count=0), "events"))
    alternatives = () if confidence is Confidence.CERTAIN else _PATH
    return _finding(severity, confidence, because, summary, tuple(evidence), (adapter, websocket), alternatives)


def _grade(view: View, sent: Resumes, adapter: Adapter, websocket: WebSocket) -> tuple[Severity, Confidence, Say]:
    counted, age = events_since(adapter, sent) is not None, Seconds(sent.ages[-1])
    if age >= LONG:
        because = Say("the Resume is {age} old; its answer comes at once and has the number of an event", age=age)
        return SEVERITY, Confidence.CERTAIN if counted else Confidence.LIKELY, because
    figures = tcp_of(view, websocket.fd)
    if counted and figures is not None and (figures[1].segments_in or 0) >= SEGMENTS:
        because = Say("heartbeats were answered already, which begin after Hello, and the Resume was not")
        return Severity.DEGRADED, Confidence.LIKELY, because
    return Severity.INFO, Confidence.POSSIBLE, Say("the connection may be young")


def _quiet(view: View, sent: Resumes) -> Finding | None:
    """RESUMED came, and nothing since: what no look can tell from a bot that nobody writes to."""
    age = sent.answered
    if age is None or sent.lost or age * sent.rate < EXPECTED:
        return None
    counts = [count for one in adapters(view) if (count := events_since(one, sent)) is not None]
    if not counts or counts[0] > 1:
        return None
    expected, ago = round(age * sent.rate), Seconds(age)
    summary = Say("Since the session was resumed {ago} ago no event has come.", ago=ago)
    because = Say("at the rate before it would have been {expected}; but nobody may have written", expected=expected)
    text = Say("{count} event since the Resume, by their numbers: RESUMED itself", count=counts[0])
    return _finding(Severity.INFO, Confidence.POSSIBLE, because, summary, (seen("gateway", text, "events"),), (), _IDLE)


def _of(view: View) -> tuple[Adapter | WebSocket, ...]:
    return tuple(adapters(view)[:1])


def _resumed(sent: Resumes) -> list[Evidence]:
    count = len(sent.ages)
    found = [seen("logs", Say("Resumes without an answer, by the log: {count}", count=count), "Resumes")]
    found.append(seen("logs", Say("the last of them {ago} ago", ago=Seconds(sent.ages[-1])), "s"))
    if sent.moved is not None and count > 1:
        found.append(seen("logs", Say("{moved} events between the first and the last", moved=sent.moved), "events"))
    return found


def _finding(
    severity: Severity,
    confidence: Confidence,
    because: Say,
    summary: Say,
    evidence: tuple[Evidence, ...],
    of: tuple[Adapter | WebSocket, ...],
    alternatives: tuple[Alternative, ...] = (),
) -> Finding:
    listeners = [one.listener for one in of if isinstance(one, Adapter) and one.listener is not None]
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=summary,
        evidence=evidence,
        ruled_out=(RuledOut("not-ready", Say("there is a session, and it was resumed")),),
        alternatives=alternatives,
        tasks=tuple(listeners),
        sockets=tuple(one.fd for one in of if isinstance(one, WebSocket) and one.fd is not None),
    )
