"""States of the real gateway: how to bring each about, how to see from outside that it is reached, what may be said.

Time is compressed (shorter back-off, close timeout and heartbeats), the gateway's logic is as it is on PyPI.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import hermes_outside as outside
from hermes_gateway import Gateway, Setting, gateway
from hermes_model import ModelApi, model_api
from hermes_relay import Relay, relay

from qqdiag.lab.control import Server, start_server

HEARTBEAT_INTERVAL = 1000  # ms in the server's Hello; the adapter beats at 0.8 of it
FIRST_BEAT = 0.4  # s
QUICK = Setting(first_beat=FIRST_BEAT)
FAR_BACKOFF = 300  # s: asleep for as long as anybody looks


@dataclass(frozen=True)
class Patient:
    """A gateway and what surrounds it."""

    gateway: Gateway
    server: Server
    model: ModelApi
    relay: Relay

    @property
    def pid(self) -> int:
        return self.gateway.pid


@dataclass(frozen=True)
class Case:
    """`accepted`: ids of which at least one must be found, and nothing else above info. Empty: healthy.

    `chain`: qualnames that some task's await chain must show, outermost first.
    """

    id: str
    reach: Callable[[Patient], None]
    accepted: frozenset[str] = frozenset()
    setting: Setting = QUICK
    faults: dict[str, object] = field(default_factory=dict)  # of the server, from the start
    surroundings: Callable[[Setting], AbstractContextManager[Setting]] = nullcontext
    chain: tuple[str, ...] = ()
    through_relay: bool = False
    tls: bool = False
    root: bool = False


@contextmanager
def hermes(
    case: Case, python: Path, home: Path, before: Callable[[Patient], object] = lambda _: None
) -> Iterator[Patient]:
    """The real gateway in the state of the case; `before`: what happens to it between READY and that."""
    with ExitStack() as stack:
        qq = stack.enter_context(start_server(tls=case.tls))
        qq.switch(**{"heartbeat_interval": HEARTBEAT_INTERVAL, **case.faults})
        model = stack.enter_context(model_api())
        between = stack.enter_context(relay(qq.port))
        setting = stack.enter_context(case.surroundings(case.setting))
        url = qq.url.replace(str(qq.port), str(between.port)) if case.through_relay else qq.url
        running = stack.enter_context(gateway(python, home, url, qq.pem, model.port, setting))
        patient = Patient(running, qq, model, between)
        wait_ready(patient)
        before(patient)
        case.reach(patient)
        yield patient


def wait_ready(patient: Patient) -> None:
    """READY dispatched by the server, and the gateway's own word that it runs and has it."""
    patient.server.until("READY", lambda seen: bool(seen["dispatched"]))
    patient.gateway.wait_log("Gateway running with")
    patient.gateway.wait_log("Ready, session_id=")


def wait_beats(patient: Patient, count: int) -> None:
    """So many heartbeats from now on."""
    had = patient.server.seen()["heartbeats"]
    patient.server.until("heartbeats", lambda seen: seen["heartbeats"] >= had + count)


# --- failing ---------------------------------------------------------------------------------------------------------


def hot_loop(patient: Patient) -> None:
    """F02: the first failed `/gateway` after a drop; the loop never runs again."""
    patient.server.switch(gateway="fail")
    patient.server.close(4009)
    patient.gateway.wait_log("Reconnect failed")
    start = outside.cpu_seconds(patient.pid)
    patient.gateway.wait(lambda: outside.cpu_seconds(patient.pid) > start + 0.5, "half a second of CPU")
    assert outside.main_thread_state(patient.pid) == "R"
    assert patient.gateway.platform_state() == "disconnected"


def dead_listener(patient: Patient) -> None:
    """F03b: REST works, the upgrade fails, until the attempts are used up."""
    patient.server.switch(upgrade="fail")
    patient.server.close(4000)
    patient.gateway.wait_log("Max reconnect attempts reached")
    assert patient.gateway.platform_state() == "disconnected"
    assert patient.server.seen()["connections"] == 1


def banned(patient: Patient) -> None:
    """F16: stopped on purpose by a fatal close code, and nobody is told."""
    patient.server.close(4914)
    patient.gateway.wait_log("Bot is offline/sandbox-only")
    patient.gateway.wait(lambda: patient.gateway.platform_state() == "fatal", "state fatal")


def missing_ack(patient: Patient) -> None:
    """F06: heartbeats arrive and are not answered."""
    wait_beats(patient, 2)
    patient.server.switch(ack=False)
    patient.server.until("unanswered heartbeats", lambda seen: seen["unanswered"] >= 4)
    assert patient.gateway.platform_state() == "connected"


def half_open(patient: Patient) -> None:
    """F07: a live proxy lost its other side; heartbeats are taken and go nowhere."""
    wait_beats(patient, 2)
    patient.relay.go_silent()
    for _ in range(4):
        assert patient.relay.dropped.acquire(timeout=10)
    assert patient.gateway.platform_state() == "connected"


def frozen_server(patient: Patient) -> None:
    """F07: the server's process stands still, its kernel goes on acknowledging."""
    wait_beats(patient, 2)
    patient.server.freeze()
    patient.gateway.wait(lambda: silent_for(patient, 4.0), "4 s in which the gateway read nothing")
    assert patient.gateway.platform_state() == "connected"


def silent_for(patient: Patient, seconds: float) -> bool:
    """Whether no connection to the server has received anything for so long."""
    return min(outside.received_ago(patient.pid, patient.server.port), default=0.0) >= seconds


def close_hang(patient: Patient) -> None:
    """F01b: each frame of a chattering peer that ignores CLOSE starts the close timeout anew."""
    patient.server.cut("bad-hello")
    patient.server.until("CLOSE", lambda seen: seen["closes"] == 1)
    began = time.monotonic()
    patient.gateway.wait(lambda: time.monotonic() > began + 2 * CLOSE_TIMEOUT, "twice the close timeout")
    assert patient.gateway.platform_state() == "disconnected"
    seen = patient.server.seen()
    assert (seen["open"], seen["connections"]) == (1, 1)


def write_stuck(patient: Patient) -> None:
    """A peer that sends PINGs and reads nothing: the PONGs fill every buffer, and `receive()` waits in the drain."""
    patient.server.switch(read="nothing", pings=True)
    patient.gateway.wait(lambda: bool(full_connections(patient)), "both queues filled")
    patient.gateway.wait(lambda: at_rest(lambda: full_connections(patient), 3.0), "queues that do not move", 30)


def full_connections(patient: Patient) -> list[outside.Connection]:
    return [one for one in outside.connections(patient.pid, patient.server.port) if one.unsent and one.unread]


def at_rest(look: Callable[[], object], seconds: float) -> bool:
    """The same at the beginning and the end of an interval, and not empty."""
    seen = look()
    time.sleep(seconds)
    return bool(seen) and look() == seen


def blocked_in_pipe(patient: Patient) -> None:
    """F18: who reads the gateway's stderr has stopped; the next log line blocks the loop in write()."""

    def blocked() -> bool:
        patient.server.say("hello")
        return "pipe_write" in outside.wchan(patient.pid)

    patient.gateway.wait(blocked, "the loop's thread in a write to a pipe")


@contextmanager
def stderr_that_nobody_reads(setting: Setting) -> Iterator[Setting]:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(read, "rb"), os.fdopen(write, "wb") as stderr:
        yield replace(setting, arguments=("-v",), stderr=stderr)


def blocked_in_dns(patient: Patient) -> None:
    """F10: a picture's address is resolved on the loop, and the name server does not answer."""
    patient.server.say("look", attachments=[PICTURE])
    patient.gateway.wait(lambda: "poll_schedule_timeout" in outside.wchan(patient.pid), "the loop's thread in poll()")


@contextmanager
def name_server_that_never_answers(setting: Setting) -> Iterator[Setting]:
    """Another /etc/resolv.conf in a mount namespace of the gateway's own: needs root."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        tempfile.NamedTemporaryFile("w", prefix="resolv-", suffix=".conf") as conf,
    ):
        silent.bind(("127.0.0.153", 53))
        conf.write("nameserver 127.0.0.153\noptions timeout:30 attempts:5\n")
        conf.flush()
        mount = f'mount --bind {conf.name} /etc/resolv.conf && exec "$@"'
        wrapper = ("unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh")
        yield replace(setting, wrapper=wrapper)


# --- healthy ---------------------------------------------------------------------------------------------------------


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
    start, began = outside.cpu_seconds(patient.pid), time.monotonic()
    patient.server.switch(chatter=0.001)
    patient.server.say("hello", count=3000)
    patient.server.until("answers", lambda seen: seen["answers"] >= 1)
    wait_beats(patient, 1)
    assert outside.cpu_seconds(patient.pid) - start > 0.2 * (time.monotonic() - began)


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


SILENT = frozenset({"missing-ack", "half-open"})  # the same from outside: what is sent is not answered
SOON: dict[str, object] = {"RECONNECT_BACKOFF": [0.2]}
CLOSE_TIMEOUT = 2.0  # s
PICTURE = {"content_type": "image/png", "url": "https://pictures.example/a.png", "filename": "a.png"}

LISTENER = ("QQAdapter._listen_loop", "QQAdapter._read_events", "ClientWebSocketResponse.receive")
CLOSING = (
    "QQAdapter._listen_loop",
    "QQAdapter._reconnect",
    "QQAdapter._open_ws",
    "ClientWebSocketResponse.close",
)
DRAINING = (*LISTENER, "ClientWebSocketResponse.pong", "WebSocketWriter.send_frame", "BaseProtocol._drain_helper")

PLAIN = (
    # failing
    Case("hot-loop", hot_loop, frozenset({"hot-loop"}), Setting(constants=SOON)),
    Case(
        "dead-listener",
        dead_listener,
        frozenset({"dead-listener"}),
        Setting(constants={"RECONNECT_BACKOFF": [0], "MAX_RECONNECT_ATTEMPTS": 5}),
    ),
    Case("banned", banned, frozenset({"dead-listener"})),
    Case("missing-ack", missing_ack, SILENT, chain=LISTENER),
    Case("half-open", half_open, SILENT, chain=LISTENER, through_relay=True),
    Case("frozen-server", frozen_server, SILENT, chain=LISTENER),
    Case(
        "close-hang",
        close_hang,
        frozenset({"close-hang"}),
        Setting(constants={"CONNECT_TIMEOUT_SECONDS": CLOSE_TIMEOUT}),
        {"answer_close": False, "chatter": CLOSE_TIMEOUT / 4},
        chain=CLOSING,
    ),
    Case("write-stuck", write_stuck, frozenset({"write-stuck"}), chain=DRAINING),
    Case("blocked-in-pipe", blocked_in_pipe, frozenset({"loop-blocked"}), surroundings=stderr_that_nobody_reads),
    Case(
        "blocked-in-dns",
        blocked_in_dns,
        frozenset({"loop-blocked"}),
        surroundings=name_server_that_never_answers,
        root=True,
    ),
    # healthy
    Case("idle", idle, chain=LISTENER),
    Case("idle-for-long", idle_for_long, setting=Setting(), faults={"heartbeat_interval": 45000}, chain=LISTENER),
    Case("idle-pool", idle_pool, chain=LISTENER, tls=True),
    Case("busy", busy),
    Case("slow-model", slow_model, chain=LISTENER),
    Case("recovered-fin", recovered("fin"), setting=Setting(constants=SOON, first_beat=FIRST_BEAT), chain=LISTENER),
    Case("recovered-rst", recovered("rst"), setting=Setting(constants=SOON, first_beat=FIRST_BEAT), chain=LISTENER),
    Case(
        "back-off",
        back_off,
        setting=Setting(constants={"RECONNECT_BACKOFF": [0.1, 0.1, FAR_BACKOFF]}),
        chain=("QQAdapter._listen_loop", "QQAdapter._reconnect", "sleep"),
    ),
    Case("bounded-close", bounded_close, faults={"answer_close": False}, chain=CLOSING),
)

# The platform itself speaks TLS alone. Where a case depends on what the connection does, it is shown over TLS too.
OVER_TLS = (
    "hot-loop",
    "missing-ack",
    "half-open",
    "close-hang",
    "write-stuck",
    "idle",
    "recovered-rst",
    "bounded-close",
)
CASES = (*PLAIN, *(replace(case, id=f"{case.id}-tls", tls=True) for case in PLAIN if case.id in OVER_TLS))
