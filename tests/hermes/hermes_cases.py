"""The states of the real gateway, and what may be said of each.

Time is compressed (shorter back-off, close timeout and heartbeats); the gateway's logic is as it is on PyPI.
"""

from __future__ import annotations

from dataclasses import replace

from hermes_failing import (
    CLOSE_TIMEOUT,
    banned,
    blocked_in_dns,
    blocked_in_pipe,
    close_hang,
    dead_listener,
    dead_path,
    events_lost,
    frozen_server,
    half_open,
    hot_loop,
    missing_ack,
    name_server_that_never_answers,
    not_ready,
    session_cut,
    session_forgotten,
    stderr_that_nobody_reads,
    storm,
    write_stuck,
)
from hermes_gateway import Setting
from hermes_healthy import (
    FAR_BACKOFF,
    back_off,
    bounded_close,
    busy,
    idle,
    idle_for_long,
    idle_pool,
    recovered,
    slow_model,
)
from hermes_homeassistant import CLOSING as CLOSING_ELSEWHERE
from hermes_homeassistant import close_hang_elsewhere, home_assistant
from hermes_machine import another_gateway, logs_on_a_disk_of_their_own, refused, stalled, thaw
from hermes_patient import FIRST_BEAT, Case
from hermes_skew import SKEWED, connect_broken

SILENT = frozenset({"missing-ack", "half-open"})  # the same from outside: what is sent is not answered
SOON: dict[str, object] = {"RECONNECT_BACKOFF": [0.2]}
BEATING_SOON = Setting(constants=SOON, first_beat=FIRST_BEAT)

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
    Case("banned", banned, frozenset({"fatal-close"})),
    Case("missing-ack", missing_ack, SILENT, chain=LISTENER),
    Case("half-open", half_open, SILENT, chain=LISTENER, through_relay=True),
    Case("dead-path", dead_path, frozenset({"half-open"}), chain=LISTENER, own_network=True, root=True),
    Case("frozen-server", frozen_server, SILENT, chain=LISTENER),
    Case(
        "close-hang",
        close_hang,
        frozenset({"close-hang"}),
        Setting(constants={"CONNECT_TIMEOUT_SECONDS": CLOSE_TIMEOUT}),
        {"answer_close": False, "chatter": CLOSE_TIMEOUT / 4},
        chain=CLOSING,
    ),
    Case(
        "close-hang-homeassistant",
        close_hang_elsewhere,
        frozenset({"close-hang"}),
        surroundings=home_assistant,
        chain=CLOSING_ELSEWHERE,
    ),
    Case("not-ready", not_ready, frozenset({"not-ready"}), BEATING_SOON, chain=LISTENER),
    Case("session-forgotten", session_forgotten, frozenset({"session-zombie"}), BEATING_SOON, chain=LISTENER),
    Case("session-cut", session_cut, frozenset({"session-zombie"}), Setting(constants=SOON)),
    Case("connect-broken", connect_broken, frozenset({"connect-broken"}), SKEWED, chain=LISTENER),
    Case("events-lost", events_lost, frozenset({"events-lost"}), BEATING_SOON, chain=LISTENER),
    Case("storm", storm, frozenset({"flapping"}), chain=LISTENER),
    Case("write-stuck", write_stuck, frozenset({"write-stuck"}), chain=DRAINING),
    Case("blocked-in-pipe", blocked_in_pipe, frozenset({"log-blocked"}), surroundings=stderr_that_nobody_reads),
    Case(
        "blocked-in-dns",
        blocked_in_dns,
        frozenset({"loop-blocked"}),
        surroundings=name_server_that_never_answers,
        root=True,
    ),
    Case(
        "disk-stall",
        stalled,
        frozenset({"disk-stall"}),
        surroundings=logs_on_a_disk_of_their_own,
        root=True,
        release=thaw,
    ),
    Case("startup-stuck", refused, frozenset({"startup-stuck"}), surroundings=another_gateway, ready=False),
    # healthy
    Case("idle", idle, chain=LISTENER),
    Case("idle-for-long", idle_for_long, setting=Setting(), faults={"heartbeat_interval": 45000}, chain=LISTENER),
    Case("idle-pool", idle_pool, chain=LISTENER, tls=True),
    Case("busy", busy),
    Case("slow-model", slow_model, chain=LISTENER),
    Case("recovered-fin", recovered("fin"), setting=BEATING_SOON, chain=LISTENER),
    Case("recovered-rst", recovered("rst"), setting=BEATING_SOON, chain=LISTENER),
    Case(
        "back-off",
        back_off,
        frozenset({"reconnecting"}),
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
