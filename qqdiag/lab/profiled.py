"""The cases that a profile alone can tell: what becomes of a session, and of another platform of the same gateway."""

from __future__ import annotations

from typing import Any

from qqdiag.lab import outside
from qqdiag.lab.case import Case, Lab
from qqdiag.lab.outside import until


def resumed_in_vain(lab: Lab) -> dict[str, Any]:
    """The service has forgotten the session, and ends each connection that resumes it (F08)."""
    lab.server.switch(resume="cut")
    lab.server.cut("fin")
    lab.fact("resumed-in-vain")
    seen = lab.server.until("Resumes", lambda seen: seen["resumes"] >= 4)
    return {name: seen[name] for name in ("identifies", "resumes")}


def not_resumed(lab: Lab) -> dict[str, Any]:
    """The service has forgotten the session and says nothing; heartbeats are answered (F08)."""
    lab.server.switch(resume="ignore")
    lab.server.cut("fin")
    lab.fact("not-resumed")
    seen = lab.server.until("a Resume", lambda seen: seen["resumes"] == 1 and seen["open"] == 1)
    return {"resumes": seen["resumes"], **until("polling", lambda: outside.polling(lab.gateway.pid))}


def resumed(lab: Lab) -> dict[str, Any]:
    """Back after a drop, with nothing to tell."""
    lab.server.cut("fin")
    lab.fact("resumed")
    return until("polling", lambda: outside.polling(lab.gateway.pid))


def storm(lab: Lab) -> dict[str, Any]:
    """The service closes each connection as soon as it has its session; then it lets one be (F15)."""
    for connections in range(2, 7):
        lab.server.close(4000)
        _opened_anew(lab, connections)
    return until("polling", lambda: outside.polling(lab.gateway.pid))


def _opened_anew(lab: Lab, connections: int) -> None:
    lab.server.until("a session", lambda seen: seen["open"] == 1 and seen["dispatched"] >= connections)


def other_platform(lab: Lab) -> dict[str, Any]:
    """The host has tried to connect another platform, twice."""
    lab.fact("as-told")
    return until("polling", lambda: outside.polling(lab.gateway.pid))


READY = ("ready", 0.0)
ZOMBIE: dict[str, Any] = {"hosted": True, "without": ("session-resume", "ready-deadline", "supervisor")}

PROFILED: tuple[Case, ...] = (
    Case(
        "session-zombie",
        "a session that the service has forgotten is resumed again and again",
        resumed_in_vain,
        facts=(READY, ("resumed-in-vain", 0.0)),
        **ZOMBIE,
    ),
    Case(
        "session-zombie-silent",
        "a session that the service has forgotten was resumed, and nothing came",
        not_resumed,
        facts=(READY, ("not-resumed", 0.5)),
        **ZOMBIE,
    ),
    Case(
        "session-resumed",
        "a session was resumed, and nobody writes",
        resumed,
        healthy=True,
        facts=(READY, ("resumed", 0.5)),
        **ZOMBIE,
    ),
    Case(
        "flapping",
        "each connection is lost as soon as it is made, and is made anew a second later",
        storm,
        facts=(READY,),
        hosted=True,
        without=("quick-disconnect",),
        timing={"delays": [1.0]},
    ),
    Case(
        "connect-broken",
        "the host passes an argument that another platform's connect() does not take",
        other_platform,
        hosted=True,
        other="older",
        facts=(READY, ("as-told", 0.0)),
    ),
    Case(
        "connect-failed",
        "another platform cannot be reached, and is tried again",
        other_platform,
        healthy=True,
        hosted=True,
        other="unreachable",
        facts=(READY, ("as-told", 0.0)),
    ),
)
