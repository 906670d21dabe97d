"""F15, F05: the connection is lost again and again; the period and the close codes tell of which kind that is.

Nearest look-alike: the platform's own renewal, op 7 and code 4009 every half hour, which is normal and said so. What
separates them is the period: half an hour, a minute or so (an idle limit), or seconds (a storm).
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Say, Seconds
from qqdiag.waits import View
from qqdiag.waits.drops import Cycle, cycle

ID = "flapping"
SEVERITY = Severity.DEGRADED
TITLE = "The connection is lost again and again"

STORM = 15.0  # seconds: the back-off after a drop, and hardly a session
IDLE = (40.0, 150.0)  # seconds: what a platform, a proxy or a NAT lets pass without a frame
RENEWAL = 900.0  # seconds: a platform that renews its connections does so twice an hour or less
RENEWED = 4009  # QQ: may be resumed (bot-docs error-trace/websocket)
ENOUGH = 4  # drops
ONGOING = 3.0  # periods since the last drop: later it has ended


def match(view: View) -> Match | NoMatch | Unknown:
    logs = view.snapshot.logs
    if isinstance(logs, Missing):
        return Unknown((logs,))
    found = cycle(view)
    if found is None or len(found.ages) < ENOUGH:
        return NoMatch(Say("its log has fewer than {count} drops", count=ENOUGH))
    if found.ages[-1] > ONGOING * max(found.period, found.longest):
        return NoMatch(Say("the last of its drops is {age} ago", age=Seconds(found.ages[-1])))
    severity, confidence, because, summary = _kind(found)
    return Match((_finding(found, severity, confidence, because, summary),))


def _kind(found: Cycle) -> tuple[Severity, Confidence, Say, Say]:
    period, renewed = Seconds(found.period), found.codes.count(RENEWED)
    if found.period >= RENEWAL:
        because = Say("{count} of the drops have code {code}", count=renewed, code=RENEWED)
        text = Say("The connection is renewed every {period}: that is how the platform does it.", period=period)
        return Severity.INFO, Confidence.CERTAIN if renewed else Confidence.POSSIBLE, because, text
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
    shortest, longest = Seconds(found.shortest), Seconds(found.longest)
    text = Say("{count} drops in {time}", count=len(found.ages), time=Seconds(found.ages[0] - found.ages[-1]))
    evidence = [
        seen("logs", text, "drops"),
        seen("logs", Say("{shortest} to {longest} apart", shortest=shortest, longest=longest), "s"),
        seen("logs", Say("{count} of them without a close code", count=found.without_code), "drops"),
    ]
    for code in dict.fromkeys(code for code in found.codes if code is not None):
        count = found.codes.count(code)
        evidence.append(seen("logs", Say("{count} with close code {code}", count=count, code=code), "drops"))
    if found.identified:
        text = Say("{count} sessions were made anew, which the platform counts", count=found.identified)
        evidence.append(seen("logs", text, "sessions"))
    return evidence
