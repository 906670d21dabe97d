"""supervisor: a task that has to run for ever and ends is logged with its traceback, counted and started again.

`asyncio.create_task` alone keeps the exception until somebody fetches it or the task is collected, which for a task
that an object refers to is never: a listener that failed leaves a gateway that is silent and looks well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

log = logging.getLogger(__name__)


class Supervisor:
    """Keeps one task of `work` running from `begin` to `finish`.

    `delays`: seconds before each restart in a row, the last for ever. A run of `steady` seconds or more starts
    them anew. `goes_on` is asked before a restart: False when the work ended on purpose.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Coroutine[Any, Any, None]],
        delays: Sequence[float],
        goes_on: Callable[[], bool] = lambda: True,
        steady: float = 60.0,
    ) -> None:
        self.name = name
        self.work = work
        self.delays = delays
        self.goes_on = goes_on
        self.steady = steady
        self.restarts = 0
        self.in_a_row = 0
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.began = 0.0  # loop.time()
        self.over = False

    def begin(self) -> None:
        self.timer = None
        self.began = asyncio.get_running_loop().time()
        self.task = asyncio.get_running_loop().create_task(self.work())
        self.task.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Cancel the task and wait for its end."""
        self.over = True
        if self.timer is not None:
            self.timer.cancel()
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if self.over:
            return
        if not self.goes_on():
            self.over = True
            log.error("%s stopped on purpose", self.name, exc_info=error)
            return
        how = "was cancelled" if task.cancelled() else "failed" if error else "returned"
        loop = asyncio.get_running_loop()
        self.in_a_row = 0 if loop.time() - self.began >= self.steady else self.in_a_row + 1
        delay = self.delays[min(max(self.in_a_row - 1, 0), len(self.delays) - 1)]
        self.restarts += 1
        log.error("%s %s, restart %d in %g s", self.name, how, self.restarts, delay, exc_info=error)
        self.timer = loop.call_later(delay, self.begin)
