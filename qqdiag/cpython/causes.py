"""What is known of all tasks together when the leaf of one is judged: timers, who holds which lock, which thread works
on what. What only few leaves need is read when the first of them asks."""

from __future__ import annotations

import dataclasses
import functools

from qqdiag.cpython import descriptors, pongs, workers
from qqdiag.cpython.frames import Thread
from qqdiag.cpython.held import Held
from qqdiag.cpython.runtime import Runtime
from qqdiag.snapshot import Transport


@dataclasses.dataclass
class Causes:
    """By future or lock, what completes or releases it."""

    runtime: Runtime
    deadline: dict[int, float]
    threads: list[Thread]
    loops: list[int]
    current: frozenset[int] = frozenset()  # the tasks that the loops are at
    transports: list[Transport] = dataclasses.field(default_factory=list)  # of all loops
    held: Held = dataclasses.field(default_factory=dict)
    started: Held = dataclasses.field(default_factory=dict)  # by task: those in the task groups that it has open

    @functools.cached_property
    def workers(self) -> dict[int, int]:
        """The native ids of the threads, by the futures that their frames hold."""
        return workers.by_future(self.runtime, self.threads)

    @functools.cached_property
    def watched(self) -> dict[int, descriptors.Watched]:
        """The fds that the loops' selectors watch for a future."""
        return descriptors.by_future(self.runtime, self.loops)

    @functools.cached_property
    def pongs(self) -> dict[int, pongs.Pong]:
        """The WebSockets whose peer owes the answer to a PING, by the futures that the answer completes."""
        return pongs.by_future(self.runtime, self.transports, self.loops)
