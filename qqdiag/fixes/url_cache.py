"""url-cache: the address of the gateway is asked for once and kept, until a connection to it fails.

The endpoint that tells the address is rate-limited on its own: a client that asks at each reconnect is refused when it
reconnects often, which is when it needs the answer most.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable


class UrlCache:
    """Keeps what `fetch` answered for `seconds`."""

    def __init__(
        self, fetch: Callable[[], Awaitable[str]], seconds: float = 3600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.fetch = fetch
        self.seconds = seconds
        self.clock = clock
        self.url: str | None = None
        self.ends = 0.0

    async def get(self) -> str:
        """The address: the one kept, or a new one. Raises what `fetch` raises."""
        if self.url is None or self.clock() > self.ends:
            self.url = await self.fetch()
            self.ends = self.clock() + self.seconds
        return self.url

    def forget(self) -> None:
        """A connection to it failed."""
        self.url = None
