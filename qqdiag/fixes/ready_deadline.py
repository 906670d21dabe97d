"""ready-deadline: a connection that is not ready in time is cut.

A WebSocket that is open proves nothing: the peer may never say Hello, or take the Identify and never answer it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class ReadyDeadline:
    """Calls `cut` unless `reached` is called within `seconds` of `begin`."""

    def __init__(self, seconds: float, cut: Callable[[], None]) -> None:
        self.seconds = seconds
        self.cut = cut
        self.timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self.reached()
        self.timer = asyncio.get_running_loop().call_later(self.seconds, self.cut)

    def reached(self) -> None:
        """READY or RESUMED came, or the connection is over."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
