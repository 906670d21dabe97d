"""send-gate: who sends waits for a reconnect while there is one to wait for, and fails at once when there is none.

A sender that waits a fixed time for the connection waits in vain when the listener, which alone reconnects, has ended:
each message then costs its whole wait and is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class NotConnected(ConnectionError):
    """There is no connection, and it does not pay to wait for one."""


class SendGate:
    """Lets pass while `ready` is set. `listener` tells the task that reconnects, None before it was started."""

    def __init__(self, ready: asyncio.Event, listener: Callable[[], asyncio.Task[Any] | None], seconds: float) -> None:
        self.ready = ready
        self.listener = listener
        self.seconds = seconds

    async def passed(self) -> None:
        """Return as soon as there is a connection.

        :raises NotConnected: the listener has ended, or `seconds` are over
        """
        listener = self.listener()
        if self.ready.is_set():
            return
        if listener is None or listener.done():
            raise NotConnected("the listener has ended: nobody reconnects")
        waiting = asyncio.ensure_future(self.ready.wait())
        try:
            await asyncio.wait({waiting, listener}, timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not self.ready.is_set():
            raise NotConnected("the listener has ended" if listener.done() else f"no connection in {self.seconds:g} s")
