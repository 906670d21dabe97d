"""The process of a gateway as its owner runs one: adapters that a host connects, and a log, known by the profile `lab`.

    python -m qqdiag.lab.hosted SECONDS PARENT

As `qqdiag.lab.gateway`, for the failures that only a profile can see: what a session is, what a log line means.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from qqdiag.fixes.adapter import Adapter
from qqdiag.fixes.protocol import Frame
from qqdiag.lab.gateway import make_adapter, run_as_child, run_gateway

log = logging.getLogger(__name__)

AGAIN = 0.3  # seconds before a platform that could not connect is tried again


@dataclass(eq=False)
class Hosted(Adapter):
    """The adapter under a name of its own, with what a profile can name in attributes of its own."""

    last_seq: int | None = None

    async def _dispatch(self, frame: Frame) -> None:
        self.last_seq = frame.seq
        await super()._dispatch(frame)


class Older:
    """Another platform, of a release whose host passes nothing to connect()."""

    async def connect(self) -> None:
        return


class Unreachable:
    """Another platform, whose service is away."""

    async def connect(self, *, is_reconnect: bool) -> None:
        raise ConnectionRefusedError(111, "Connect call failed")


OTHERS: dict[str, Any] = {"older": Older, "unreachable": Unreachable}


async def connect_other(config: dict[str, Any]) -> None:
    """Connect the other platform, again and again; that it fails is logged, and is what the host tells of itself."""
    failed = 0
    config["truth"] = lambda: {"failed": failed} if failed >= 2 else None
    while True:
        try:
            await OTHERS[config["other"]]().connect(is_reconnect=failed > 0)
        except (TypeError, OSError) as error:
            failed += 1
            log.error("connect of %s failed: %s", config["other"], error)
        await asyncio.sleep(AGAIN)


async def host(config: dict[str, Any]) -> None:
    """The gateway, and beside it the other platform, if there is one."""
    others = asyncio.create_task(connect_other(config)) if config["other"] else None
    await run_gateway(config, make_adapter(config, Hosted))
    if others is not None:
        await others


if __name__ == "__main__":
    run_as_child(host)
