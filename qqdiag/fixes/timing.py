"""Every duration of the adapter, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Defaults as a bot in service has them."""

    ws_close: float | None = 10.0  # aiohttp's own, per message; None: for ever
    close_total: float = 5.0  # the whole close, with bounded-close
    ready: float = 30.0  # from connecting to READY, with ready-deadline
    rest_total: float = 30.0  # one REST call, in total
    rate_limited: float = 60.0  # after close code 4008
    send_wait: float = 15.0  # for a reconnect, before an answer is sent
    quick: float = 5.0  # a connection that lasted less is a quick disconnect
    quick_rest: float = 60.0  # after three of them in a row
    url_kept: float = 3600.0  # the address of the gateway
    stall: float = 10.0  # of the event loop, until loop-watchdog dumps the stacks
    stall_limit: float | None = 60.0  # until it ends the process
    delays: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # back-off, the last for ever
    attempts: int = 3  # without listener: after so many it gives up
