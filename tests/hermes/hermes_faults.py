"""The faults that a gateway is put through, each with the fix that ends it."""

from __future__ import annotations

from hermes_failing import CLOSE_TIMEOUT
from hermes_thrown import (
    ANEW,
    CHATTER,
    READY,
    REFUSED,
    RESTS,
    RESUMED,
    STOPPED,
    Fault,
    beating,
    beats_on,
    cancelled,
    closed,
    cut,
    deafened,
    elapses,
    ended_when_ready,
    full,
    gave_up,
    identified_twice,
    lost_path,
    not_answered,
    says,
    swallowed,
    switched,
)

SINCE_0_16 = frozenset({"0.16.0", "0.19.0"})
NEVER_CLOSES = {"answer_close": False, "chatter": CHATTER}
QUIET = switched(answer_close=True, chatter=0.0)
TWICE = 2.5 * CLOSE_TIMEOUT  # s: the gateway's own timeout for a close is over, twice

FAULTS = (
    Fault(
        "heartbeats are not answered",
        "heartbeat-ack",
        switched(ack=False),
        not_answered,
        says("2 heartbeats unanswered"),
        begin=beating,
        clean=switched(ack=True),
    ),
    Fault(
        "4009, which lets it resume",
        "session-resume",
        closed(4009),
        identified_twice,
        recovered=RESUMED,
        survivors=SINCE_0_16,
    ),
    Fault(
        "op 9, the session is over",
        "session-resume",
        cut("invalid-session"),
        beats_on,
        recovered=ANEW,
        survivors=SINCE_0_16,
    ),
    Fault(
        "each Resume ends the connection",
        "session-resume",
        cut("fin", resume="cut"),
        says("Resume sent", 5),
        clean=switched(resume="ok"),
        recovered=ANEW,
    ),
    Fault(
        "the address is refused, connections are not",
        "url-cache",
        closed(4000, gateway="fail"),
        gave_up,
        clean=switched(gateway="ok"),
    ),
    Fault(
        "the address and connections are refused",
        "closed-read, listener",
        closed(4000, gateway="fail", upgrade="fail"),
        gave_up,
        says(REFUSED, 7),
        returns=switched(gateway="ok", upgrade="ok"),
    ),
    Fault(
        "connections are refused",
        "listener",
        closed(4000, upgrade="fail"),
        gave_up,
        says(REFUSED, 7),
        returns=switched(upgrade="ok"),
    ),
    Fault(
        "a connection is never answered",
        "ready-deadline",
        closed(4000, upgrade="swallow"),
        elapses(TWICE),
        says(REFUSED),
        returns=switched(upgrade="ok"),
    ),
    Fault(
        "Identify is not answered",
        "ready-deadline",
        closed(4006, identify=False),
        says("Identify sent"),
        says("Identify sent", 2),
        returns=switched(identify=True),
    ),
    Fault(
        "a wrong Hello, and CLOSE is not answered",
        "bounded-close",
        cut("bad-hello", **NEVER_CLOSES),
        elapses(TWICE),
        clean=QUIET,
    ),
    Fault(
        "op 7, and CLOSE is not answered",
        "bounded-close, session-resume",
        cut("reconnect", **NEVER_CLOSES),
        elapses(TWICE),
        clean=QUIET,
    ),
    Fault(
        "each connection ends when it is ready",
        "quick-disconnect",
        ended_when_ready,
        recovered=RESTS,
        goes_on=ended_when_ready,
    ),
    Fault(
        "the listener is cancelled",
        "supervisor",
        cancelled,
        elapses(TWICE),
        says("The listener ended, starting it again"),
    ),
)
# These take longer, or end the adapter.
SLOW = (
    Fault(
        "Resume is not answered",
        "ready-deadline, session-resume",
        cut("fin", resume="ignore"),
        beats_on,
        clean=switched(resume="ok"),
        recovered=ANEW,
    ),
    Fault(
        "a proxy loses the connection",
        "heartbeat-ack",
        lost_path,
        swallowed,
        begin=beating,
        through_relay=True,
    ),
    Fault(
        "the peer sends PINGs and reads nothing",
        "heartbeat-ack",
        deafened,
        full,
        begin=beating,
        clean=switched(pings=False),
    ),
)
FATAL = Fault(
    "4014, which no attempt heals",
    "session-resume",
    closed(4014),
    says(READY),
    recovered=STOPPED,
    survivors=SINCE_0_16,
)
