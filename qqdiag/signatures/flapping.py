"""F15, F05: the connection is lost again and again; the period and the close codes tell of which kind that is.

Nearest look-alike: the platform's own renewal, op 7 and code 4009 every half hour, which is normal and said so. What
separates them is the period: half an hour, a minute or so (an idle limit), or seconds (a storm). A back-off is none:
its attempts fail before there is a connection that could be lost.
"""

from __future__ import annotations

from qqdiag.episodes import Cycle, cycle, fullest
from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Say, Seconds
from qqdiag.snapshot import LogFile, Logs
from qqdiag.waits import View

ID = "flapping"
SEVERITY = Severity.DEGRADED
TITLE = "The connection is lost again and again"

STORM = 15.0  # seconds: the back-off after a drop, and hardly a session
IDLE = (40.0, 150.0)  # seconds: what a platform, a proxy or a NAT lets pass without a frame
RENEWAL = 900.0  # seconds: a platform that renews its connections does so twice an hour or less
RENEWED = 4009  # QQ: may be resumed (bot-docs error-trace/websocket)
ENOUGH = 4  # drops
ONGOING = 3.0  # periods since the last drop: later it has ended

NO_ZONE = Missing(
    Say("its log has times of a zone that is not known, so that they cannot be placed"),
    Say("look where its /etc/localtime leads, and set TZ in its unit"),
)


def match(view: View) -> Match | NoMatch | Unknown:
    logs = view.logs
    if isinstance(logs, Missing):
        return Unknown((logs,))
    if logs is None:
        return NoMatch(Say("no log of it is known"))
    file = fullest(logs)
    if lack := _lack(logs, file):
        return Unknown((lack,))
    found = cycle(file.events) if file else None
    if found is None or len(found.ages) < ENOUGH:
        return NoMatch(Say("its log has fewer than {count} drops", count=ENOUGH))
    if found.ages[-1] > ONGOING * found.upper:
        return NoMatch(Say("the last of its drops is {age} ago", age=Seconds(found.ages[-1])))
    severity, confidence, because, summary = _kind(found)
    return Match((_finding(found, severity, confidence, because, summary),))


def _lack(logs: Logs, file: LogFile | None) -> Missing | None:
    """Why its logs tell nothing, where that is not because nothing happened."""
    if file is None:
        return logs.missing[0] if logs.missing else None
    if not file.events and any(line.level is not None and line.age is None for line in file.last):
        return NO_ZONE
    return None


def _kind(found: Cycle) -> tuple[Severity, Confidence, Say, Say]:
    period = Seconds(found.period)
    if found.period >= RENEWAL:
        return _renewal(found)
    if found.period < STORM:
        because = Say("hardly a session lasts longer than the pause between two attempts")
        text = Say("The connection is lost every {period}: a storm of reconnects.", period=period)
        return SEVERITY, Confidence.CERTAIN, because, text
    if IDLE[0] <= found.period <= IDLE[1] and 2 * found.without_code > len(found.codes):
        because = Say("the drops have no close code, and come as an idle limit of somebody on the way would")
        text = Say("The connection is cut every {period}, without a code.", period=period)
        return SEVERITY, Confidence.LIKELY, because, text
    because = Say("the drops fit no kind that is known")
    return SEVERITY, Confidence.POSSIBLE, because, Say("The connection is lost every {period}.", period=period)


def _renewal(found: Cycle) -> tuple[Severity, Confidence, Say, Say]:
    """The platform says so itself, by code 4009 or by asking; without its word the period alone speaks."""
    period, renewed = Seconds(found.period), max(found.codes.count(RENEWED), found.asked)
    because = Say("drops with code {code}, or that were asked for: {count}", count=renewed, code=RENEWED)
    if 2 * renewed > len(found.codes):
        text = Say("The connection is renewed every {period}: that is how the platform does it.", period=period)
        return Severity.INFO, Confidence.CERTAIN, because, text
    text = Say("The connection is lost every {period}, as rarely as a platform renews it.", period=period)
    return Severity.INFO, Confidence.POSSIBLE, because, text


def _finding(found: Cycle, severity: Severity, confidence: Confidence, because: Say, summary: Say) -> Finding:
    idle = confidence is Confidence.LIKELY
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=summary,
        evidence=tuple(_evidence(found)),
        ruled_out=() if severity is Severity.INFO else (_not_renewal(found),),
        alternatives=_IDLE if idle else (),
    )


def _not_renewal(found: Cycle) -> RuledOut:
    period = Seconds(found.period)
    return RuledOut("renewal", Say("that comes twice an hour at most, these every {period}", period=period))


_IDLE = (
    Alternative("heartbeat-dead", Say("whether a task sends heartbeats, and when the last byte left")),
    Alternative("proxy", Say("a connection past the proxy: whether that one lasts")),
)


def _evidence(found: Cycle) -> list[Evidence]:
    text = Say("{count} drops in {time}", count=len(found.ages), time=Seconds(found.ages[0] - found.ages[-1]))
    lower, upper = Seconds(found.lower), Seconds(found.upper)
    shortest, longest = Seconds(found.shortest), Seconds(found.longest)
    evidence = [
        seen("logs", text, "drops"),
        seen("logs", Say("{period} apart, by the median", period=Seconds(found.period)), "s"),
        seen("logs", Say("half of them {lower} to {upper} apart", lower=lower, upper=upper), "s"),
        seen("logs", Say("{shortest} to {longest} apart, all of them", shortest=shortest, longest=longest), "s"),
        seen("logs", Say("the last one {age} ago", age=Seconds(found.ages[-1])), "s"),
        seen("logs", Say("{count} of them without a close code", count=found.without_code), "drops"),
    ]
    for code in dict.fromkeys(code for code in found.codes if code is not None):
        count = found.codes.count(code)
        evidence.append(seen("logs", Say("{count} with close code {code}", count=count, code=code), "drops"))
    if found.held is not None:
        evidence.append(seen("logs", Say("no connection was open longer than {held}", held=Seconds(found.held)), "s"))
    if found.identified:
        text = Say("sessions that were made anew, which the platform counts: {count}", count=found.identified)
        evidence.append(seen("logs", text, "sessions"))
    return evidence
