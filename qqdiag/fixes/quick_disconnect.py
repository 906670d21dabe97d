"""quick-disconnect: connections that end as soon as they are made are counted, and a row of them makes a long pause.

A back-off that starts anew with each READY never grows where the server ends each session seconds after READY: the
client then comes back every two seconds for ever, and uses up the sessions that the platform grants for a day.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class QuickDisconnects:
    """Counts connections that lasted less than `quick` seconds; from `limit` in a row on each costs `rest` seconds."""

    def __init__(
        self, quick: float = 5.0, limit: int = 3, rest: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.quick = quick
        self.limit = limit
        self.rest = rest
        self.clock = clock
        self.in_a_row = 0
        self.since: float | None = None

    def connected(self) -> None:
        self.since = self.clock()

    def lost(self) -> float:
        """To be called when a connection ends; seconds to wait beside the usual back-off."""
        if self.since is None:  # it never came about: the usual back-off grows by itself
            return 0.0
        lasted, self.since = self.clock() - self.since, None
        self.in_a_row = self.in_a_row + 1 if lasted < self.quick else 0
        return self.rest if self.in_a_row >= self.limit else 0.0
