"""Answers to messages, each in a task of its own, so that a slow model does not keep the listener from reading.

An answer that could not be sent is sent again: the platform takes each `msg_id` with its `msg_seq` once, so that one
which did arrive is not shown twice (bot-docs `message/send-receive/send.md`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import aiohttp

from .listener import TRANSPORT_ERRORS, back_off
from .open_api import OpenApi
from .protocol import Incoming

log = logging.getLogger(__name__)


class Answers:
    """Asks `content` for the answer to a message and sends it once `admitted` lets it."""

    def __init__(
        self,
        api: OpenApi,
        content: Callable[[Incoming], Awaitable[str | None]],
        admitted: Callable[[], Awaitable[None]],
        delays: Sequence[float],
        window: float = 240.0,
    ) -> None:
        """`delays`: seconds between attempts. `window`: seconds within which an answer to a message is taken."""
        self.api = api
        self.content = content
        self.admitted = admitted
        self.delays = delays
        self.window = window
        self.tasks: set[asyncio.Task[None]] = set()  # the event loop itself keeps only weak references

    async def answer(self, message: Incoming) -> None:
        text = await self.content(message)
        if text is None:
            return
        try:
            await self.admitted()
            await self._send(message, text)
        except TRANSPORT_ERRORS as error:
            log.warning("answer not sent: %r", error)

    async def _send(self, message: Incoming, text: str) -> None:
        clock = asyncio.get_running_loop().time
        ends, attempt = clock() + self.window, 0
        while True:
            try:
                return await self.api.reply(message, text)
            except TRANSPORT_ERRORS as error:
                pause = back_off(attempt, self.delays)
                if _refused(error) or clock() + pause > ends:
                    raise
            attempt += 1
            await asyncio.sleep(pause)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("handler failed", exc_info=task.exception())


def _refused(error: Exception) -> bool:
    """Whether the platform has read the request and does not want it: it will not want it later either."""
    return isinstance(error, aiohttp.ClientResponseError) and 400 <= error.status < 500 and error.status != 429
