"""An answer that is ready when the listener has ended for good, and how long `send()` waits for it, by its own log."""

from __future__ import annotations

import re
from datetime import datetime

from hermes_patient import Patient
from hermes_thrown import Thrown, lies_ahead

WAITS = "Not connected . waiting for reconnection"
GIVES_UP = "Still not connected after|Not connected, and nobody reconnects"
WAIT = 15.0  # s: `_RECONNECT_WAIT_SECONDS` of the adapter
STAMP = "%Y-%m-%d %H:%M:%S,%f"  # of logging, at the beginning of each line


def answer_after(patient: Patient, code: int) -> Thrown:
    """While a model thinks, the platform closes with a code that ends the listener; then the model answers."""
    patient.model.stick()
    patient.server.say("hello")
    assert patient.model.asked.acquire(timeout=30)
    thrown = lies_ahead(patient)
    patient.server.close(code)
    patient.gateway.wait(lambda: patient.gateway.platform_state() == "fatal", "state fatal")
    patient.model.answer()
    return thrown


def seconds_of_send(thrown: Thrown) -> float:
    """From where the first `send()` finds no connection to where it gives up."""
    for pattern in (WAITS, GIVES_UP):
        thrown.wait(pattern)
    lines = thrown.text().splitlines()
    began, ended = (next(line for line in lines if re.search(pattern, line)) for pattern in (WAITS, GIVES_UP))
    return (stamp(ended) - stamp(began)).total_seconds()


def stamp(line: str) -> datetime:
    found = re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", line)
    assert found, line
    return datetime.strptime(found[0], STAMP)
