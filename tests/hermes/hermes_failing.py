"""How to bring a failure about in the real gateway, and how to see from outside that it is there."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import hermes_outside as outside
from hermes_gateway import Setting
from hermes_patient import Patient, silent_for, wait_beats

CLOSE_TIMEOUT = 2.0  # s
BEAT = 22  # bytes of a heartbeat: {"op": 1, "d": 1} and the header of a masked frame (RFC 6455 5.2)
PICTURE = {"content_type": "image/png", "url": "https://pictures.example/a.png", "filename": "a.png"}


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


def dead_path(patient: Patient) -> None:
    """F07: segments vanish; the heartbeats pile up and are sent again and again."""
    wait_beats(patient, 2)
    assert patient.link
    patient.link.cut()

    def piled_up() -> bool:
        return any(one.unsent >= 4 * BEAT for one in outside.connections(patient.pid, patient.server.port))

    patient.gateway.wait(piled_up, "four heartbeats that nobody acknowledged")
    assert patient.gateway.platform_state() == "connected"


def frozen_server(patient: Patient) -> None:
    """F07: the server's process stands still, its kernel goes on acknowledging."""
    wait_beats(patient, 2)
    patient.server.freeze()
    patient.gateway.wait(lambda: silent_for(patient, 4.0), "4 s in which the gateway read nothing")
    assert patient.gateway.platform_state() == "connected"


def close_hang(patient: Patient) -> None:
    """F01b: each frame of a chattering peer that ignores CLOSE starts the close timeout anew."""
    patient.server.cut("bad-hello")
    patient.server.until("CLOSE", lambda seen: seen["closes"] == 1)
    began = time.monotonic()
    patient.gateway.wait(lambda: time.monotonic() > began + 2 * CLOSE_TIMEOUT, "twice the close timeout")
    assert patient.gateway.platform_state() == "disconnected"
    seen = patient.server.seen()
    assert (seen["open"], seen["connections"]) == (1, 1)


def not_ready(patient: Patient) -> None:
    """F09: Identify is ignored, and heartbeats are answered all the same."""
    wait_beats(patient, 1)
    patient.server.switch(identify=False)
    patient.server.close(4006)  # the session is gone: it must identify anew
    patient.gateway.wait_log("Identify sent", count=2)
    wait_beats(patient, 3)
    assert patient.gateway.platform_state() == "connected"


def session_forgotten(patient: Patient) -> None:
    """F08: the service has forgotten the session and does not say so; heartbeats are answered all the same."""
    wait_beats(patient, 1)
    patient.server.switch(resume="ignore")
    patient.server.cut("fin")
    patient.gateway.wait_log("Resume sent")
    wait_beats(patient, 3)
    assert patient.gateway.platform_state() == "connected"


def session_cut(patient: Patient) -> None:
    """F08: each Resume ends the connection, and the adapter resumes the same session again."""
    patient.server.switch(resume="cut")
    patient.server.cut("fin")
    patient.gateway.wait_log("Resume sent", count=4)
    assert patient.server.seen()["identifies"] == 1


def events_lost(patient: Patient) -> None:
    """F21: the platform renews its connection twice, and both times the session is thrown away."""
    for count in (2, 3):
        wait_beats(patient, 1)
        patient.server.close(4009)
        patient.gateway.wait_log("Identify sent", count=count)
    wait_beats(patient, 2)
    assert patient.server.seen()["resumes"] == 0


def storm(patient: Patient) -> None:
    """F15: each connection is closed as soon as it is open, at the gateway's own back-off; then one lasts a while."""
    for connections in range(2, 7):
        patient.server.close(4000)
        opened_anew(patient, connections)
    wait_beats(patient, 1)
    assert set(patient.gateway.wait_log("Quick disconnect", count=5)) == set(
        patient.gateway.wait_log(r"Quick disconnect \([0-9.]+s\), count: 1$", count=5)
    ), "its protection never counts above one"


def opened_anew(patient: Patient, connections: int) -> None:
    patient.server.until("a new one", lambda seen: seen["connections"] >= connections and seen["open"] == 1)


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
