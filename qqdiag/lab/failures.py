"""The cases in which the lab's gateway fails: which fix is left out, what is done to it, how that is verified."""

from __future__ import annotations

from typing import Any

from qqdiag.lab import outside
from qqdiag.lab.case import Case, Lab
from qqdiag.lab.outside import until


def hot_loop(lab: Lab) -> dict[str, Any]:
    """REST fails at the reconnect, so that the old, closed WebSocket stays in place (F02)."""
    lab.server.switch(gateway="fail")
    lab.server.close(4009)
    lab.fact("spinning")
    return until("spinning", lambda: outside.spinning(lab.gateway.pid))


def dead_listener(lab: Lab) -> dict[str, Any]:
    """Its last attempt fails (F03 b)."""
    lab.server.switch(accept=False)
    lab.server.cut("fin")
    lab.fact("gave-up")
    lab.server.until("no connection", lambda seen: seen["open"] == 0)
    return until("polling", lambda: outside.polling(lab.gateway.pid))


def dead_listener_cancelled(lab: Lab) -> dict[str, Any]:
    """Cancelled; what the server sends from then on is not read (F03 d)."""
    lab.server.say("now")
    beats = lab.server.seen()["heartbeats"]
    lab.fact("nobody-listens")
    lab.server.switch(events=0.001)
    seen = until("unread", lambda: _queue(lab, "unread"))
    lab.server.until("heartbeats", lambda seen: seen["heartbeats"] > beats)
    return seen


def missing_ack(lab: Lab) -> dict[str, Any]:
    """The server takes heartbeats and does not answer them (F06)."""
    lab.server.switch(ack=False)
    lab.fact("unanswered")
    seen = lab.server.until("unanswered heartbeats", lambda seen: seen["unanswered"] >= 3)
    return {"unanswered": seen["unanswered"], **until("polling", lambda: outside.polling(lab.gateway.pid))}


def half_open(lab: Lab) -> dict[str, Any]:
    """The peer's application stands still while its kernel acknowledges (F07)."""
    lab.server.freeze()
    lab.fact("unanswered")
    return until("unread at the server", lambda: _unread_by(lab.server.pid))


def half_open_dead_path(lab: Lab) -> dict[str, Any]:
    """The path is cut without a word: segments are sent again and again (F07 i)."""
    assert lab.link is not None
    lab.link.cut()
    lab.fact("unanswered")
    return until("retransmitting", lambda: _retransmitting(lab))


def close_hang_chatter(lab: Lab) -> dict[str, Any]:
    """The peer ignores CLOSE and sends a frame more often than ws_close (F01 b)."""
    lab.server.switch(answer_close=False, chatter=0.2)
    lab.server.cut("bad-hello")
    return _closing(lab)


def close_hang_no_timeout(lab: Lab) -> dict[str, Any]:
    """ws_close is None and the peer is silent (F01 e)."""
    lab.server.switch(answer_close=False, ack=False)
    lab.server.cut("bad-hello")
    return _closing(lab)


def close_hang_receive(lab: Lab) -> dict[str, Any]:
    """Op 7: another task closes, and the listener waits for that close inside receive() (F01 a)."""
    lab.server.switch(answer_close=False, chatter=0.2)
    lab.server.cut("reconnect")
    return _closing(lab)


def close_hang_session(lab: Lab) -> dict[str, Any]:
    """The session waits for a connection whose unsent bytes never leave (F01 d)."""
    lab.server.switch(read="nothing")
    lab.server.say("now")
    unsent = until("unsent", lambda: _queue(lab, "unsent"))
    lab.server.cut("bad-hello")
    lab.fact("closing-session")
    return unsent


def write_stuck(lab: Lab) -> dict[str, Any]:
    """The peer sends PINGs and reads nothing: the listener is stuck in its PONG."""
    lab.server.switch(read="nothing", pings=True)
    lab.fact("draining")
    return until("unsent", lambda: _queue(lab, "unsent"))


def write_stuck_send(lab: Lab) -> dict[str, Any]:
    """The peer reads nothing: a handler is stuck in its send, and the listener reads on."""
    lab.server.switch(read="nothing")
    lab.server.say("now")
    lab.fact("draining")
    return until("unsent", lambda: _queue(lab, "unsent"))


def loop_blocked(lab: Lab) -> dict[str, Any]:
    """A handler sleeps on the loop (F10)."""
    lab.server.say("now")
    lab.fact("standing")
    return until("asleep", lambda: outside.asleep(lab.gateway.pid, "nanosleep"))


def loop_blocked_pipe(lab: Lab) -> dict[str, Any]:
    """A handler writes to a pipe that nobody reads (F10, F18)."""
    lab.server.say("now")
    lab.fact("standing")
    return until("in a write", lambda: outside.asleep(lab.gateway.pid, "pipe_w"))


def reconnect_stuck(lab: Lab) -> dict[str, Any]:
    """The WebSocket's handshake is not answered (failures.md 11, reconnect stuck)."""
    lab.server.switch(upgrade="hang")
    lab.server.cut("fin")
    lab.fact("opening")
    return until("polling", lambda: outside.polling(lab.gateway.pid))


def _closing(lab: Lab) -> dict[str, Any]:
    lab.fact("closing")
    lab.server.until("a CLOSE frame", lambda seen: seen["closes"] >= 1 and seen["open"] == 1)
    return until("polling", lambda: outside.polling(lab.gateway.pid))


def _queue(lab: Lab, which: str) -> dict[str, Any] | None:
    """The gateway's WebSocket, once bytes pile up in that queue of its socket."""
    rows = [row for row in outside.sockets(lab.gateway.pid) if row["port"] == lab.server.port and row[which] > 1000]
    return rows[0] if rows else None


def _retransmitting(lab: Lab) -> dict[str, Any] | None:
    rows = [row for row in outside.sockets(lab.gateway.pid) if row["unsent"] and row["retransmits"] >= 2]
    return rows[0] if rows else None


def _unread_by(pid: int) -> dict[str, Any] | None:
    rows = [row for row in outside.sockets(pid) if row["state"] == "ESTAB" and row["unread"]]
    return rows[0] if rows else None


CHATTER: dict[str, Any] = {"without": ("bounded-close",), "facts": (("ready", 0.0), ("closing", 2.5))}
STUCK: dict[str, Any] = {
    "without": ("heartbeat-ack", "ready-deadline"),
    "facts": (("ready", 0.0), ("draining", 1.5)),
}
DEAF: dict[str, Any] = {
    "without": ("heartbeat-ack",),
    "facts": (("ready", 0.0), ("unanswered", 0.0)),
}

FAILURES: tuple[Case, ...] = (
    Case(
        "hot-loop",
        "the listener spins on a closed WebSocket and never awaits",
        hot_loop,
        without=("closed-read", "url-cache"),
        facts=(("ready", 0.0), ("spinning", 1.0)),
    ),
    Case(
        "dead-listener",
        "the listener gave up and nobody noticed",
        dead_listener,
        without=("listener", "supervisor"),
        facts=(("ready", 0.0), ("gave-up", 0.5)),
    ),
    Case(
        "dead-listener-cancelled",
        "the listener was cancelled and its WebSocket is open",
        dead_listener_cancelled,
        without=("listener", "heartbeat-ack", "supervisor"),
        model="cancelling",
        facts=(("ready", 0.0), ("nobody-listens", 0.0)),
    ),
    Case("missing-ack", "heartbeats are not answered", missing_ack, **DEAF),
    Case("half-open", "the peer is gone and the connection stays", half_open, **DEAF),
    Case(
        "half-open-dead-path",
        "the path to the peer is gone without a word (needs root)",
        half_open_dead_path,
        own_network=True,
        **DEAF,
    ),
    Case("close-hang", "a close waits for a peer that chatters", close_hang_chatter, **CHATTER),
    Case("close-hang-chatter", "a close waits for a peer that chatters", close_hang_chatter, **CHATTER),
    Case(
        "close-hang-no-timeout",
        "a close waits without a timeout",
        close_hang_no_timeout,
        **CHATTER,
        timing={"ws_close": None},
    ),
    Case("close-hang-receive", "a close by another task waits inside receive()", close_hang_receive, **CHATTER),
    Case(
        "close-hang-session",
        "a session waits for its connection to send what the peer does not read",
        close_hang_session,
        without=("bounded-close", "heartbeat-ack"),
        model="flooding",
        facts=(("ready", 0.0), ("closing-session", 2.0)),
        abandoning=True,
        transports=("plain",),  # under TLS aiohttp aborts the transport
        needs_aiohttp=(3, 12, 4),
    ),
    Case("write-stuck", "the listener's PONG waits for a peer that does not read", write_stuck, **STUCK),
    Case(
        "write-stuck-send",
        "a handler's send waits for a peer that does not read",
        write_stuck_send,
        model="flooding",
        **STUCK,
    ),
    Case(
        "reconnect-stuck",
        "the handshake of a new WebSocket is not answered",
        reconnect_stuck,
        without=("ready-deadline",),
        facts=(("ready", 0.0), ("opening", 1.2)),
    ),
    Case(
        "loop-blocked",
        "a handler sleeps on the event loop",
        loop_blocked,
        model="sleeping",
        facts=(("ready", 0.0), ("standing", 1.0)),
    ),
    Case(
        "loop-blocked-pipe",
        "a handler writes to a pipe that nobody reads",
        loop_blocked_pipe,
        model="writing-to-pipe",
        facts=(("ready", 0.0), ("standing", 1.0)),
    ),
)
