"""How the real gateway comes to look hung while it is well, and how to see from outside that it does."""

from __future__ import annotations

import time
from collections.abc import Callable

import hermes_outside as outside
from hermes_patient import Patient, silent_for, wait_beats

FAR_BACKOFF = 300  # s: asleep for as long as anybody looks


def idle(patient: Patient) -> None:
    """Beats, and is answered."""
    wait_beats(patient, 3)


def idle_for_long(patient: Patient) -> None:
    """At the platform's own interval: nothing is sent or received for 28 s, the first heartbeat is still to come."""
    patient.gateway.wait(lambda: silent_for(patient, 28.0), "28 s of silence", 60)
    assert patient.server.seen()["heartbeats"] == 0


def idle_pool(patient: Patient) -> None:
    """REST connections that the server closed lie in httpx's pool: CLOSE-WAIT until the next request."""
    patient.server.cut("close-idle")
    patient.gateway.wait(lambda: bool(in_close_wait(patient)), "a connection in CLOSE-WAIT")
    wait_beats(patient, 2)
    assert {one.unread for one in in_close_wait(patient)} <= {1, 25, 32}


def in_close_wait(patient: Patient) -> list[outside.Connection]:
    return [one for one in outside.connections(patient.pid, patient.server.port) if one.state == "CLOSE-WAIT"]


def busy(patient: Patient) -> None:
    """A flood of messages and frames, and REST calls of its own; its heartbeats go out."""
    start, began = outside.runnable_seconds(patient.pid), time.monotonic()
    patient.server.switch(chatter=0.001)
    patient.server.say("hello", count=3000)
    patient.server.until("answers", lambda seen: seen["answers"] >= 1)
    wait_beats(patient, 1)
    assert outside.runnable_seconds(patient.pid) - start > 0.2 * (time.monotonic() - began)


def slow_model(patient: Patient) -> None:
    """A user waits for a model that does not answer; the gateway does not."""
    patient.model.stick()
    patient.server.say("hello")
    assert patient.model.asked.acquire(timeout=30)
    wait_beats(patient, 2)


def recovered(how: str) -> Callable[[Patient], None]:
    def reach(patient: Patient) -> None:
        """The connection ended without a CLOSE frame; the session was resumed."""
        patient.server.cut(how)
        patient.gateway.wait_log("Session resumed")
        wait_beats(patient, 2)

    return reach


def back_off(patient: Patient) -> None:
    """Refused twice, now asleep until the next attempt."""
    patient.server.switch(upgrade="fail")
    patient.server.close(4000)
    patient.gateway.wait_log(f"Reconnecting in {FAR_BACKOFF}s")


def bounded_close(patient: Patient) -> None:
    """The same close as in close-hang, with a silent peer: its timer ends it after 20 s."""
    patient.server.cut("bad-hello")
    patient.server.until("CLOSE", lambda seen: seen["closes"] == 1)
