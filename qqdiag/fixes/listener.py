"""listener: the task that reads never ends silently.

It backs off for ever instead of giving up, takes every transport error alike, and honours its cancellation: a
listener that swallows CancelledError leaves a WebSocket that nobody reads while its heartbeats go on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import aiohttp

# asyncio.TimeoutError is TimeoutError and so an OSError (3.11+); aiohttp's proxy and TLS errors are ClientErrors.
# ssl.SSLError is an OSError, asyncio.IncompleteReadError an EOFError.
TRANSPORT_ERRORS: tuple[type[Exception], ...] = (aiohttp.ClientError, OSError, EOFError)


def back_off(attempt: int, delays: Sequence[float]) -> float:
    """Seconds to wait before attempt number `attempt` (0: the first), capped at the last of `delays`.

    With jitter of a quarter, so that a fleet does not come back in step.
    """
    return delays[min(attempt, len(delays) - 1)] * random.uniform(0.75, 1.25)
