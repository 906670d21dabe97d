"""loop-watchdog: a thread that notices an event loop which stands still, and leaves the evidence before it ends it.

Everything that runs on the loop stands still with it: a watchdog task, a signal handler of asyncio, a health endpoint.
A thread goes on. It dumps the stacks of all threads, tells systemd that the service is alive only while the loop
answers (sd_notify(3), `WatchdogSec=` of systemd.service(5)), and at last ends the process with a code that a
supervisor restarts on. It writes to a file descriptor itself, for logging may be what the loop is stuck in; and it
does not wait for that descriptor, which may be the very pipe that nobody reads.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable

PATIENCE = 1.0  # seconds for the descriptor to take what is written


class LoopWatchdog:
    """Watches `loop` from `begin` to `finish`.

    `stall`: seconds without an answer after which the stacks are written to the file descriptor `fd`; `limit`: after
    which the process ends with `code`, None for never. `every`: seconds between two questions to the loop.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        stall: float = 10.0,
        limit: float | None = 60.0,
        every: float = 1.0,
        code: int = 75,  # EX_TEMPFAIL of sysexits.h: try again
        fd: int = 2,
        end: Callable[[int], object] = os._exit,  # sys.exit() ends a thread alone
    ) -> None:
        self.loop = loop
        self.stall = stall
        self.limit = limit
        self.every = every
        self.code = code
        self.fd = fd
        self.end = end
        self.stalls = 0
        self.answered_at = 0.0  # time.monotonic()
        self.is_stalled = False
        self.is_asked = False
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)

    def begin(self) -> None:
        self.answered_at = time.monotonic()
        self.thread.start()

    def finish(self) -> None:
        self.stopping.set()
        self.thread.join()

    def _watch(self) -> None:
        last = time.monotonic()
        while not self.stopping.wait(self.every):
            if self.loop.is_closed():
                return
            now = time.monotonic()
            if now - last > 2 * self.every:  # this thread stood still too: a stopped process, a machine without time
                self.answered_at = max(self.answered_at, now - self.every)
            self._look(now - self.answered_at)
            self._ask()
            last = time.monotonic()  # what it took to write the stacks is not to be counted

    def _ask(self) -> None:
        if self.is_asked:
            return
        self.is_asked = True
        try:
            self.loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # closed since it was looked at
            self.stopping.set()

    def _answer(self) -> None:
        self.answered_at = time.monotonic()
        self.is_asked = False

    def _look(self, age: float) -> None:
        if age < self.stall:
            self.is_stalled = False
            notify("WATCHDOG=1")
            return
        if not self.is_stalled:
            self.is_stalled = True
            self.stalls += 1
            self._tell(f"the event loop has not answered for {age:.1f} s\n".encode() + stacks())
        if self.limit is not None and age >= self.limit:
            self._tell(f"the event loop has not answered for {age:.1f} s: exit {self.code}\n".encode())
            self.end(self.code)

    def _tell(self, text: bytes) -> None:
        """Written by a thread that may be left behind: the loop may stand because this descriptor takes no more."""
        writer = threading.Thread(target=_write, args=(self.fd, text), name="loop-watchdog-writer", daemon=True)
        writer.start()
        writer.join(PATIENCE)


def stacks() -> bytes:
    """Of all threads. Through memory: dump_traceback() holds the interpreter's lock for as long as its file takes."""
    with open(os.memfd_create("stacks"), "w+b") if hasattr(os, "memfd_create") else tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read()


def _write(fd: int, text: bytes) -> None:
    while text:
        text = text[os.write(fd, text) :]


def notify(state: str) -> bool:
    """Send `state` to the service manager; False when there is none (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # the abstract namespace of unix(7)
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(state.encode(), address)
    except OSError:
        return False
    return True
