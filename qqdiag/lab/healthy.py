"""The cases in which the lab's gateway is well, and looks as if it were not."""

from __future__ import annotations

from typing import Any

from qqdiag.lab import outside
from qqdiag.lab.case import Case, Lab
from qqdiag.lab.failures import reconnect_stuck
from qqdiag.lab.outside import until

REAL = 41250  # ms between heartbeats, as the platform says
READY = ("ready", 0.0)


def idle(lab: Lab) -> dict[str, Any]:
    """Connected, with nothing to do until the next heartbeat, half a minute away."""
    return until("polling", lambda: outside.polling(lab.gateway.pid))


def busy(lab: Lab) -> dict[str, Any]:
    """A flood of events, each of which costs some work."""
    lab.server.switch(events=0.01)
    lab.fact("busy")
    return {"dispatched": lab.server.seen()["dispatched"]}


def idle_pool(lab: Lab) -> dict[str, Any]:
    """Connections of an httpx pool that their server has closed (failures.md 4.3)."""
    lab.server.say("now")
    lab.fact("pooled")
    lab.server.cut("close-idle")
    return until("holding two closed connections", lambda: _half_closed(lab))


def slow_model(lab: Lab) -> dict[str, Any]:
    """Handlers wait for a model that answers late."""
    lab.server.say("question", 3)
    lab.fact("asking")
    return {"asked": lab.server.until("three questions", lambda seen: seen["models"] >= 3)["models"]}


def bounded_close(lab: Lab) -> dict[str, Any]:
    """A silent peer: aiohttp's own timer will end the close."""
    lab.server.switch(answer_close=False)
    lab.server.cut("bad-hello")
    lab.fact("closing")
    return {"closes": lab.server.until("a CLOSE frame", lambda seen: seen["closes"] >= 1)["closes"]}


def bounded_close_chatter(lab: Lab) -> dict[str, Any]:
    """A chattering peer: the deadline of the fix will end the close."""
    lab.server.switch(chatter=0.2)
    return bounded_close(lab)


def back_off(lab: Lab) -> dict[str, Any]:
    """The platform is away, and the next attempt is minutes off."""
    lab.server.switch(accept=False)
    lab.server.cut("fin")
    lab.fact("backing-off")
    return until("polling", lambda: outside.polling(lab.gateway.pid))


def slow_peer(lab: Lab) -> dict[str, Any]:
    """A handler sends much to a peer that reads slowly: each send waits a while."""
    lab.server.switch(read="slowly")
    lab.server.say("now")
    lab.fact("progressing")
    return until("sending", lambda: _unsent(lab))


def slow_handler(lab: Lab) -> dict[str, Any]:
    """The listener itself waits for a handler, and receives nothing at this instant."""
    lab.server.say("question")
    lab.fact("handling")
    return {"asked": lab.server.until("a question", lambda seen: seen["models"] >= 1)["models"]}


def recovered(lab: Lab) -> dict[str, Any]:
    """Back after FIN, after RST, and after op 7 with 4009, each by a Resume; and it answers."""
    for number, cut in enumerate(("fin", "rst"), 1):
        lab.server.cut(cut)
        _resumed(lab, number)
    lab.server.cut("reconnect")
    lab.server.close(4009)
    _resumed(lab, 3)
    lab.server.say("still there?")
    seen = lab.server.until("an answer", lambda seen: seen["answers"] >= 1)
    return {name: seen[name] for name in ("connections", "identifies", "resumes", "answers")}


def _resumed(lab: Lab, count: int) -> None:
    lab.server.until("a Resume", lambda seen: seen["resumes"] >= count and seen["open"] == 1)


def _half_closed(lab: Lab) -> dict[str, Any] | None:
    queues = sorted(row["unread"] for row in outside.sockets(lab.gateway.pid) if row["state"] == "CLOSE-WAIT")
    return {"close_wait": queues} if len(queues) == 2 else None


def _unsent(lab: Lab) -> dict[str, Any] | None:
    rows = [row for row in outside.sockets(lab.gateway.pid) if row["port"] == lab.server.port and row["unsent"]]
    return rows[0] if rows else None


SLOW: dict[str, Any] = {"healthy": True, "model": "waiting", "faults": {"model": "hang", "heartbeat_interval": REAL}}

HEALTHY: tuple[Case, ...] = (
    Case(
        "idle",
        "connected, and nobody writes",
        idle,
        healthy=True,
        facts=(("ready", 0.5),),
        faults={"heartbeat_interval": REAL},
    ),
    Case(
        "busy",
        "a flood of events, half a core and more",
        busy,
        healthy=True,
        model="working",
        facts=(READY, ("busy", 0.0)),
    ),
    Case(
        "idle-pool",
        "closed connections in the pool of an HTTP client",
        idle_pool,
        healthy=True,
        model="pooling",
        facts=(READY, ("pooled", 0.0)),
        pools=True,
    ),
    Case(
        "slow-model",
        "handlers wait for a model that answers late",
        slow_model,
        healthy=True,
        model="waiting",
        facts=(READY, ("asking", 0.5)),
        faults={"model": "hang"},
    ),
    Case(
        "bounded-close",
        "a close in progress, which a timer will end",
        bounded_close,
        healthy=True,
        without=("bounded-close",),
        facts=(READY, ("closing", 1.5)),
        timing={"ws_close": 60.0},
    ),
    Case(
        "bounded-close-chatter",
        "a close in progress, which a deadline will end",
        bounded_close_chatter,
        healthy=True,
        facts=(READY, ("closing", 2.5)),
        timing={"close_total": 60.0},
    ),
    Case(
        "bounded-reconnect",
        "a handshake is not answered yet, and a deadline will end it",
        reconnect_stuck,
        healthy=True,
        facts=(READY, ("opening", 1.2)),
        timing={"ready": 20.0},
        transports=("plain",),
    ),
    Case(
        "back-off",
        "asleep before its next attempt",
        back_off,
        healthy=True,
        facts=(READY, ("backing-off", 0.5)),
        timing={"delays": [0.1, 300.0]},
    ),
    Case(
        "slow-peer",
        "sends that wait for a slow peer and go on",
        slow_peer,
        healthy=True,
        model="flooding",
        facts=(READY, ("progressing", 0.0)),
        faults={"heartbeat_interval": REAL},
    ),
    Case(
        "slow-handler",
        "the listener waits for a handler",
        slow_handler,
        facts=(READY, ("handling", 0.5)),
        inline=True,
        **SLOW,
    ),
    Case(
        "recovered",
        "back after FIN, RST and op 7",
        recovered,
        healthy=True,
        facts=(READY,),
        timing={"ready": 1.0, "rest_total": 1.0},
    ),
)
