"""Every fix judged in one adapter's source."""

from __future__ import annotations

from collections.abc import Callable

from qqdiag.model import Say
from qqdiag.patch import (
    bounded_close,
    closed_read,
    heartbeat_ack,
    listener,
    loop_watchdog,
    quick_disconnect,
    ready_deadline,
    send_gate,
    session_resume,
    supervisor,
    url_cache,
)
from qqdiag.patch.judged import Adapter, Judged, cannot_tell
from qqdiag.patch.walk import Undecided

JUDGES: dict[str, Callable[[Adapter], Judged]] = {
    bounded_close.ID: bounded_close.judge,
    closed_read.ID: closed_read.judge,
    heartbeat_ack.ID: heartbeat_ack.judge,
    listener.ID: listener.judge,
    loop_watchdog.ID: loop_watchdog.judge,
    quick_disconnect.ID: quick_disconnect.judge,
    ready_deadline.ID: ready_deadline.judge,
    send_gate.ID: send_gate.judge,
    session_resume.ID: session_resume.judge,
    supervisor.ID: supervisor.judge,
    url_cache.ID: url_cache.judge,
}


def judge(adapter: Adapter, id: str) -> Judged:
    """One fix."""
    try:
        return JUDGES[id](adapter)
    except (Undecided, RecursionError):
        return cannot_tell(Say("there are more ways through its code than can be followed"))


ELSEWHERE = frozenset({loop_watchdog.ID})  # it belongs beside the loop, so an adapter cannot tell


def judge_all(adapter: Adapter) -> dict[str, Judged]:
    """Every fix, by its id."""
    return {id: judge(adapter, id) for id in sorted(JUDGES)}
