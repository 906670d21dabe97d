"""What the platform and the machine do to a gateway, patched or not, and what is then seen of it."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import hermes_outside as outside
from hermes_failing import CLOSE_TIMEOUT, at_rest, full_connections
from hermes_gateway import Setting
from hermes_patient import FIRST_BEAT, Patient, wait_beats

RESUMED, ANEW = "Session resumed", "Ready, session_id="
READY = f"{ANEW}|{RESUMED}"
STOPPED = "connecting again is of no use|Bot is intent not authorized"
RESTS = "Too many quick disconnects"
REFUSED = "Reconnect failed"
CHATTER = 0.25  # s between two frames of a peer that does not stop: well below each timeout
LISTENER_SIGNAL = signal.SIGRTMIN  # compress/sitecustomize.py cancels the listener's task on it
SETTING = Setting(
    constants={
        "RECONNECT_BACKOFF": [0.2],
        "MAX_RECONNECT_ATTEMPTS": 5,
        "RATE_LIMIT_DELAY": 0.5,
        "QUICK_DISCONNECT_THRESHOLD": 60.0,  # each of these connections is a quick one, however slow the machine
        "CONNECT_TIMEOUT_SECONDS": CLOSE_TIMEOUT,
    },
    first_beat=FIRST_BEAT,
    environment={"QQDIAG_TEST_CANCEL_LISTENER": str(int(LISTENER_SIGNAL))},
)


@dataclass(frozen=True)
class Thrown:
    """A gateway, and how long its log was before a fault."""

    patient: Patient
    offset: int

    def text(self) -> str:
        """The log since then."""
        return self.patient.gateway.log()[self.offset :]

    def lines(self, pattern: str) -> int:
        return len(re.findall(pattern, self.text()))

    def wait(self, pattern: str, count: int = 1, seconds: float = 30.0) -> None:
        """Until so many lines since the fault have it."""
        self.patient.gateway.wait(lambda: self.lines(pattern) >= count, f"{count} x {pattern!r}", seconds)


def lies_ahead(patient: Patient) -> Thrown:
    return Thrown(patient, len(patient.gateway.log()))


def nothing(_: object) -> None:
    """There is nothing to wait for, or to change."""


@dataclass(frozen=True)
class Fault:
    """`begin`: until the gateway is where the fault can be thrown. `throw` is done to any gateway. Then: `fallen` until
    one without the fixes lies where it will stay, `met` until one with them has been through it. `returns`: the world
    is well again, where nobody could recover before that. `clean`: what is undone after the recovery.

    `goes_on`: what the platform does for as long as somebody looks, where the state is nothing but that.
    `recovered`: the line that a gateway writes when it has. `survivors`: versions that recover as they are.
    """

    id: str
    fixes: str
    throw: Callable[[Patient], object]
    fallen: Callable[[Thrown], object] = nothing
    met: Callable[[Thrown], object] = nothing
    begin: Callable[[Patient], object] = nothing
    returns: Callable[[Patient], object] | None = None
    clean: Callable[[Patient], object] = nothing
    goes_on: Callable[[Patient], object] | None = None
    recovered: str = READY
    survivors: frozenset[str] = frozenset()
    through_relay: bool = False


# --- what is done ----------------------------------------------------------------------------------------------------


def switched(**faults: object) -> Callable[[Patient], object]:
    return lambda patient: patient.server.switch(**faults)


def closed(code: int, **faults: object) -> Callable[[Patient], object]:
    def throw(patient: Patient) -> None:
        patient.server.switch(**faults)
        patient.server.close(code)

    return throw


def cut(how: str, **faults: object) -> Callable[[Patient], object]:
    def throw(patient: Patient) -> None:
        patient.server.switch(**faults)
        patient.server.cut(how)

    return throw


def beating(patient: Patient) -> None:
    """The first may be 30 s away: to connect again sets the interval back, and the heartbeat's task sleeps by it."""
    had = patient.server.seen()["heartbeats"]
    patient.server.until("heartbeats", lambda seen: seen["heartbeats"] >= had + 2, 60)


def lost_path(patient: Patient) -> None:
    """F07: a proxy between the two loses each connection that it has, and tells nobody."""
    patient.relay.lose()


def deafened(patient: Patient) -> None:
    """A peer that sends PINGs and reads nothing: the PONGs fill every buffer. Whoever connects anew is served."""
    patient.server.cut("deafen")
    patient.server.switch(pings=True)


def cancelled(patient: Patient) -> None:
    """F03d: the listener's task is cancelled, and nobody reads the CLOSE that comes next."""
    thrown = lies_ahead(patient)
    patient.gateway.process.send_signal(LISTENER_SIGNAL)
    thrown.wait("the listener is cancelled")
    patient.server.close(4000)


def ended_when_ready(patient: Patient) -> None:
    """F15: each connection ends as soon as it is ready."""
    for _ in range(3):
        thrown = lies_ahead(patient)
        patient.server.close(4000)
        thrown.wait(READY)


# --- what is then seen -----------------------------------------------------------------------------------------------


def says(pattern: str, count: int = 1) -> Callable[[Thrown], object]:
    return lambda thrown: thrown.wait(pattern, count)


def not_answered(thrown: Thrown) -> None:
    thrown.patient.server.until("unanswered heartbeats", lambda seen: seen["unanswered"] >= 4)


def swallowed(thrown: Thrown) -> None:
    for _ in range(4):
        assert thrown.patient.relay.dropped.acquire(timeout=10)


def full(thrown: Thrown) -> None:
    patient = thrown.patient
    patient.gateway.wait(lambda: at_rest(lambda: full_connections(patient), 3.0), "full queues that do not move", 60)


def gave_up(thrown: Thrown) -> None:
    """Its listener has ended, or computes without a rest."""
    pid = thrown.patient.pid
    start = outside.cpu_seconds(pid)

    def holds() -> bool:
        return outside.cpu_seconds(pid) > start + 1.0 or bool(thrown.lines("Max reconnect attempts reached"))

    thrown.patient.gateway.wait(holds, "a second of CPU, or the end of its attempts")


def elapses(seconds: float) -> Callable[[Thrown], object]:
    """It still runs after so long."""

    def wait(thrown: Thrown) -> None:
        end = time.monotonic() + seconds
        thrown.patient.gateway.wait(lambda: time.monotonic() > end, f"{seconds:g} s", seconds + 10)

    return wait


def identified_twice(thrown: Thrown) -> None:
    """It identified anew, and does so again: one change of session could have many reasons."""
    thrown.wait(ANEW)
    thrown.patient.server.close(4009)
    thrown.wait(ANEW, 2)
    wait_beats(thrown.patient, 2)


def beats_on(thrown: Thrown) -> None:
    wait_beats(thrown.patient, 3)
