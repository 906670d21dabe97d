"""The source of hermes-agent's QQ adapter: what each release does wrong, and by what in its text that is seen.

Read off gateway/platforms/qqbot/adapter.py of 0.13.0 to 0.19.0 as they lie on PyPI, without 0.18.0.
"""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.versions import Adapter, Fault
from qqdiag.versions.hermes_connection import (
    close_on_reopen,
    close_on_request,
    counter_is_reset,
    fatal_is_retried,
    gives_up,
    no_limit_on_silence,
    nobody_is_told,
    silent_exit,
    spins,
)
from qqdiag.versions.hermes_session import (
    answers_uncounted,
    heartbeat_exits,
    reconnect_argument,
    renewal_drops_session,
    requests_ignored,
    send_waits,
    token_unguarded,
)

EVER = frozenset(
    (
        *("close-on-reopen", "gives-up", "nobody-is-told", "counter-is-reset", "no-limit-on-silence"),
        *("answers-uncounted", "token-unguarded", "send-waits"),
    )
)
BEFORE_0_15 = EVER | {"spins", "requests-ignored", "renewal-drops-session", "fatal-is-retried"}
WITH_REQUESTS = EVER | {"close-on-request"}

QQBOT = Adapter(
    profile="hermes",
    platform="qqbot",
    program="hermes-agent",
    methods=(
        *("connect", "_open_ws", "_listen_loop", "_reconnect", "_read_events", "_heartbeat_loop"),
        *("_mark_transport_disconnected", "_dispatch_payload", "_send_identify", "_send_resume"),
        "_wait_for_reconnection",
    ),
    faults=(
        Fault("spins", "hot-loop", Say("reads again and again from a WebSocket that is closed"), spins, "0.17.0"),
        Fault("silent-exit", "dead-listener", Say("the listener ends at the first failure"), silent_exit, "0.13.0"),
        Fault("gives-up", "dead-listener", Say("the listener ends after its last attempt"), gives_up),
        Fault("heartbeat-exits", "heartbeat-dead", Say("a reconnect can end heartbeats"), heartbeat_exits, "0.13.0"),
        Fault("answers-uncounted", "missing-ack", Say("no answer to a heartbeat is missed"), answers_uncounted),
        Fault("no-limit-on-silence", "half-open", Say("waits for a message without limit"), no_limit_on_silence),
        Fault("close-on-reopen", "close-hang", Say("a close before a new connection has no limit"), close_on_reopen),
        Fault("close-on-request", "close-hang", Say("a close at the server's wish has no limit"), close_on_request),
        Fault("requests-ignored", "events-lost", Say("op 7 and op 9 are ignored"), requests_ignored, "0.15.0"),
        Fault(
            "renewal-drops-session",
            "events-lost",
            Say("the renewal of a connection (4009) drops the session"),
            renewal_drops_session,
            "0.15.0",
        ),
        Fault("fatal-is-retried", "flapping", Say("codes that cannot heal are retried"), fatal_is_retried, "0.15.0"),
        Fault("counter-is-reset", "flapping", Say("quick disconnects are never counted to two"), counter_is_reset),
        Fault("nobody-is-told", "fatal-close", Say("a fatal error is told to nobody"), nobody_is_told),
        Fault("token-unguarded", "not-ready", Say("a token that fails leaves no session"), token_unguarded),
        Fault("reconnect-argument", "connect-broken", Say("connect lacks is_reconnect"), reconnect_argument, "0.19.0"),
        Fault("send-waits", "send-waiting", Say("a send waits for a listener that has ended"), send_waits),
    ),
    releases={
        "0.13.0": BEFORE_0_15,
        "0.14.0": BEFORE_0_15,
        "0.15.0": WITH_REQUESTS | {"spins"},
        "0.15.1": WITH_REQUESTS | {"spins"},
        "0.15.2": WITH_REQUESTS | {"spins"},
        "0.16.0": WITH_REQUESTS | {"spins"},
        "0.17.0": WITH_REQUESTS,
        "0.18.2": WITH_REQUESTS | {"reconnect-argument"},
        "0.19.0": WITH_REQUESTS,
    },
)
