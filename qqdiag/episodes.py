"""Where the last reconnect broke off, by the events of a gateway's log."""

from __future__ import annotations

from collections.abc import Sequence

from qqdiag.snapshot import LogEvent

HEALTHY = frozenset({"ready", "resumed"})  # the words of a profile's phrases for an authenticated session


def last_episode(events: Sequence[LogEvent]) -> list[LogEvent]:
    """The events from the last authenticated session on, oldest first; all of them when there was none.

    One event alone (`ready` or `resumed`): since then the log knows of no trouble. Otherwise the last event is where
    the reconnect broke off, or where it is now: its age tells.
    """
    for index in range(len(events) - 1, -1, -1):
        if events[index].event.reveal() in HEALTHY:
            return list(events[index:])
    return list(events)
