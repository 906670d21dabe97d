"""The task that sends heartbeats, and cuts a connection on which they stay unanswered."""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from .bounded_close import abort
from .heartbeat_ack import Heartbeats
from .listener import TRANSPORT_ERRORS
from .protocol import Op
from .session_resume import Session

log = logging.getLogger(__name__)


async def beat(
    ws: aiohttp.ClientWebSocketResponse, interval: float, heartbeats: Heartbeats, session: Session, careful: bool = True
) -> None:
    """Send op 1 a little more often than `interval`, the seconds that Hello asks for.

    `careful`: whether unanswered ones are counted and a send is bounded (heartbeat-ack).
    """
    while True:
        await asyncio.sleep(interval * 0.8)
        if ws.closed:
            return
        if careful and heartbeats.overdue():
            log.warning("%d heartbeats unanswered", heartbeats.outstanding)
            abort(ws)
            return
        heartbeats.count_sent()
        try:
            async with asyncio.timeout(interval if careful else None):
                await ws.send_json({"op": Op.HEARTBEAT, "d": session.seq})
        except TRANSPORT_ERRORS as error:
            log.warning("heartbeat not sent: %r", error)
            abort(ws)
            return
