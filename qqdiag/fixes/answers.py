"""Answers to messages, each in a task of its own, so that a slow model does not keep the listener from reading."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from .listener import TRANSPORT_ERRORS
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
    ) -> None:
        self.api = api
        self.content = content
        self.admitted = admitted
        self.tasks: set[asyncio.Task[None]] = set()  # the event loop itself keeps only weak references

    async def answer(self, message: Incoming) -> None:
        text = await self.content(message)
        if text is None:
            return
        try:
            await self.admitted()
            await self.api.reply(message, text)
        except TRANSPORT_ERRORS as error:
            log.warning("answer not sent: %r", error)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("handler failed", exc_info=task.exception())
