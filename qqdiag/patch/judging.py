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

_MODULES = (
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
JUDGES: dict[str, Callable[[Adapter], Judged]] = {module.ID: module.judge for module in _MODULES}


def judge(adapter: Adapter, id: str) -> Judged:
    """One fix."""
    try:
        return JUDGES[id](adapter)
    except Undecided:
        return cannot_tell(Say("there are more ways through its code than can be followed"))


ELSEWHERE = frozenset({loop_watchdog.ID})  # it belongs beside the loop, so an adapter cannot tell


def judge_all(adapter: Adapter) -> dict[str, Judged]:
    """Every fix, by its id."""
    return {id: judge(adapter, id) for id in sorted(JUDGES)}
