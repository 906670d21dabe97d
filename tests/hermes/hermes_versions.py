"""What each version of the real gateway falls into and what it survives, where they differ or an operator would ask.

A course is one gateway that is brought from state to state; each of them is judged. Only the last may be one from
which it does not come back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import hermes_failing as failing
import hermes_healthy as healthy
from hermes_cases import CLOSING, LISTENER, PLAIN, SOON
from hermes_failing import CLOSE_TIMEOUT
from hermes_gateway import Setting
from hermes_patient import FIRST_BEAT, Case, Patient, wait_beats

CLOSING_ON_REQUEST = (
    "QQAdapter._listen_loop",
    "QQAdapter._read_events",
    "ClientWebSocketResponse.receive",
    "ClientWebSocketResponse.close",
)
UPGRADING = ("QQAdapter._listen_loop", "QQAdapter._reconnect", "QQAdapter._open_ws", "ClientSession._ws_connect")
SENDING = ("QQAdapter.send", "QQAdapter._wait_for_reconnection", "sleep")
SHORT = Setting(constants={**SOON, "CONNECT_TIMEOUT_SECONDS": CLOSE_TIMEOUT}, first_beat=FIRST_BEAT)

PAUSE = 2.0  # s before an attempt, in which several heartbeats are due
BEFORE_0_13 = Setting(
    constants={"RECONNECT_BACKOFF": [PAUSE]}, first_beat=FIRST_BEAT, environment={"QQDIAG_TEST_BEFORE_0_13": "1"}
)


@dataclass(frozen=True)
class Course:
    """`stages`: their `reach`, `accepted` and `chain`; setting, surroundings and the like are those of the first."""

    version: str
    stages: tuple[Case, ...]

    @property
    def id(self) -> str:
        return f"{self.version}-{self.stages[-1].id}"


def rest_refused(patient: Patient) -> None:
    """F02's trigger, in a version that tries again: `/gateway` fails after a drop, and attempt follows attempt."""
    wait_beats(patient, 1)
    patient.server.switch(gateway="fail")
    patient.server.close(4009)
    patient.gateway.wait_log("Reconnect failed", count=3)


def rest_again(patient: Patient) -> None:
    """The platform's REST answers again, and nobody did anything to the gateway.

    Its next heartbeat may be 30 s away: each attempt sets the interval back, and the heartbeat task sleeps by it.
    """
    had = len(patient.gateway.wait_log("Session resumed", count=0))
    patient.server.switch(gateway="ok")
    patient.gateway.wait_log("Session resumed", count=had + 1)
    assert patient.gateway.platform_state() == "connected"


def renewed(patient: Patient) -> None:
    """F21's trigger, in a version that resumes: the platform renews its connection (4009), twice."""
    had = patient.server.seen()["resumes"]
    for goal in (had + 1, had + 2):
        wait_beats(patient, 1)
        patient.server.close(4009)
        patient.gateway.wait(lambda goal=goal: patient.server.seen()["resumes"] >= goal, "a Resume")
    wait_beats(patient, 2)
    assert patient.server.seen()["identifies"] == 1


def asked_to_reconnect(patient: Patient) -> None:
    """F01a: op 7, and a peer that chatters on and does not answer the CLOSE: the wait is within `receive()`."""
    patient.server.switch(answer_close=False, chatter=CLOSE_TIMEOUT / 4)
    closes = patient.server.seen()["closes"]
    patient.server.cut("reconnect")
    patient.server.until("CLOSE", lambda seen: seen["closes"] > closes)
    began = time.monotonic()
    patient.gateway.wait(lambda: time.monotonic() > began + 2 * CLOSE_TIMEOUT, "twice the close timeout")
    assert patient.gateway.platform_state() == "connected"


def request_ignored(patient: Patient) -> None:
    """The same to a version that does not know op 7: it goes on as if nothing had been asked."""
    had = patient.server.seen()
    patient.server.cut("reconnect")
    wait_beats(patient, 3)
    seen = patient.server.seen()
    assert (seen["closes"], seen["connections"]) == (had["closes"], had["connections"])


def intent_refused(patient: Patient) -> None:
    """F16: a code that no new attempt can heal, known as such."""
    patient.server.close(4014)
    patient.gateway.wait_log("Bot is intent not authorized")
    patient.gateway.wait(lambda: patient.gateway.platform_state() == "fatal", "state fatal")


def intent_refused_unknown(patient: Patient) -> None:
    """The same code in a version that takes it for any other: it comes back, to be refused again."""
    connections = patient.server.seen()["connections"]
    patient.server.close(4014)
    patient.server.until("a new connection", lambda seen: seen["connections"] > connections)
    wait_beats(patient, 2)


def wrong_hello(patient: Patient) -> None:
    """F01b's trigger, from a peer that chatters on from now."""
    before = patient.server.seen()
    patient.server.switch(answer_close=False, chatter=CLOSE_TIMEOUT / 4)
    patient.server.cut("bad-hello")
    patient.server.until("CLOSE", lambda seen: seen["closes"] > before["closes"])
    began = time.monotonic()
    patient.gateway.wait(lambda: time.monotonic() > began + 2 * CLOSE_TIMEOUT, "twice the close timeout")
    after = patient.server.seen()
    assert (after["open"], after["connections"]) == (1, before["connections"])


def answered_again(patient: Patient) -> None:
    patient.server.switch(ack=True)
    wait_beats(patient, 2)


def upgrade_hangs(patient: Patient) -> None:
    """The proxy in front of the platform takes the upgrade and does not answer it."""
    had = patient.server.seen()["gateways"]
    patient.server.switch(upgrade="hang")
    patient.server.close(4000)
    patient.server.until("a question for the gateway's address", lambda seen: seen["gateways"] > had)


def upgrade_answered(patient: Patient) -> None:
    """The same upgrade is answered in the end."""
    had = len(patient.gateway.wait_log("Session resumed", count=0))
    patient.server.switch(upgrade="ok")
    patient.gateway.wait_log("Session resumed", count=had + 1)


def answer_kept_back(patient: Patient) -> None:
    """F19: the listener is gone while a model thinks, and its answer waits for a connection that nobody makes."""
    patient.model.stick()
    patient.server.say("hello")
    assert patient.model.asked.acquire(timeout=30)
    failing.dead_listener(patient)
    patient.model.answer()
    patient.gateway.wait_log("Not connected . waiting for reconnection")


def heartbeat_ends(patient: Patient) -> None:
    """F05: it wakes while the adapter reconnects, is told that nothing runs, and ends."""
    wait_beats(patient, 1)
    patient.server.close(4009)
    patient.gateway.wait_log("Reconnected", seconds=30)
    assert patient.gateway.platform_state() == "connected"


def listener_ends_silently(patient: Patient) -> None:
    """F03a: the first attempt that fails is the last one, and no line says so."""
    patient.server.switch(gateway="fail")
    patient.server.close(4009)
    patient.gateway.wait_log("Reconnect failed")
    attempts = patient.server.seen()["gateways"]
    began = time.monotonic()
    patient.gateway.wait(lambda: time.monotonic() > began + 2 * PAUSE, "the time for another attempt")
    assert patient.server.seen()["gateways"] == attempts
    assert patient.gateway.platform_state() == "disconnected"


IDLE = Case("idle", healthy.idle, setting=SHORT, chain=LISTENER)
KEPT = Case("events-lost", renewed, chain=LISTENER)
OP7 = Case("op-7", asked_to_reconnect, frozenset({"close-hang"}), chain=CLOSING_ON_REQUEST)
REFUSED = Case("intent-refused", intent_refused, frozenset({"fatal-close"}), setting=SHORT)
STUCK = Case("reconnect-stuck", upgrade_hangs, frozenset({"reconnect-stuck"}), SHORT, chain=UPGRADING)
UPGRADED = Case("upgraded", upgrade_answered, chain=LISTENER)
ZOMBIE = Case("session-cut", failing.session_cut, frozenset({"session-zombie"}), SHORT)
CLOSE_HANG = Case("close-hang", wrong_hello, frozenset({"close-hang"}), chain=CLOSING)
OF_FIRST = {case.id: case for case in PLAIN}

BEATS = (
    replace(OF_FIRST["missing-ack"], setting=SHORT),
    Case("answered-again", answered_again, chain=LISTENER),
    OF_FIRST["not-ready"],
    REFUSED,
)

COURSES = (
    Course(
        "0.14.0",
        (
            IDLE,
            Case("op-7", request_ignored, chain=LISTENER),
            Case("intent-refused", intent_refused_unknown, chain=LISTENER),
        ),
    ),
    Course(
        "0.14.0",
        (
            Case("heartbeat-dead", heartbeat_ends, frozenset({"heartbeat-dead"}), BEFORE_0_13),
            Case("silent-exit", listener_ends_silently, frozenset({"dead-listener"})),
        ),
    ),
    Course("0.16.0", (OF_FIRST["hot-loop"],)),
    Course("0.16.0", (IDLE, KEPT, OP7)),
    Course("0.16.0", (STUCK, UPGRADED, CLOSE_HANG)),
    Course("0.16.0", (ZOMBIE,)),
    Course("0.16.0", BEATS),
    Course("0.16.0", (OF_FIRST["dead-listener"],)),
    Course(
        "0.19.0",
        (
            IDLE,
            KEPT,
            Case("hot-loop", rest_refused),
            Case("recovered", rest_again, chain=LISTENER),
            OP7,
        ),
    ),
    Course("0.19.0", BEATS),
    Course("0.19.0", (STUCK, UPGRADED, ZOMBIE)),
    Course("0.19.0", (replace(OF_FIRST["dead-listener"], reach=answer_kept_back, chain=SENDING),)),
    *(
        Course("0.19.0", (OF_FIRST[id],))
        for id in ("close-hang", "write-stuck", "blocked-in-pipe", "blocked-in-dns", "bounded-close")
    ),
)
