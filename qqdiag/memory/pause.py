"""The child that can stop a target (`tracer.py`), seen from the parent: start it early, ask it for a copy, end it."""

from __future__ import annotations

import errno
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from qqdiag.memory import tracer as program
from qqdiag.memory.copied import Range

STOP_WITHIN = 0.02  # seconds that the threads have to stop; then all of them run again, and there is no copy

BUFFER = 4 << 20  # bytes that the child has ready for a copy before it is asked; a larger one is made when needed


class NotPaused(Exception):
    """The target could not be stopped, or not in time; it runs again. `number` is the errno."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode.get(number, str(number)))
        self.number = number


class Copy(NamedTuple):
    """What the child copied: the bytes of all ranges in a row, and the indexes of those that could not be read."""

    data: bytes
    unread: tuple[int, ...]
    pause: float  # seconds from the first interrupt to the last release
    threads: int


class Tracer:
    """The child, from its start to its end. It needs about 15 ms to get ready: start it before it is needed."""

    def __init__(self, pid: int) -> None:
        self._memory = -1
        self._size = BUFFER
        try:
            self._memory = os.memfd_create("qqdiag")
            os.ftruncate(self._memory, self._size)
            self._child = self._start(pid)
        except OSError as problem:
            if self._memory >= 0:
                os.close(self._memory)
            raise NotPaused(problem.errno or errno.EPERM) from None
        self._ready = False

    def _start(self, pid: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(program.__file__)), str(pid), str(self._memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(self._memory,),
            bufsize=0,
            start_new_session=True,  # Ctrl-Z on a terminal must not stop it while it holds the target
        )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it can still be asked: after a NotPaused it cannot."""
        return self._memory >= 0

    def copy(self, ranges: Sequence[Range], deadline: float) -> Copy:
        """Stop the target, copy the ranges and let it go, before `deadline` (time.monotonic()).

        Raises NotPaused; after that this child has ended, and with it whatever it held.
        """
        if not self._ready:
            self._receive(len(program.READY), deadline)
            self._ready = True
        size = sum(size for _, size in ranges)
        if size > self._size:
            self._size = size
            os.ftruncate(self._memory, size)
        self._send(ranges)
        number, pause, threads, failed = program.REPLY.unpack(self._receive(program.REPLY.size, deadline))
        unread = struct.unpack(f"<{failed}Q", self._receive(8 * failed, deadline))
        if number:
            self.close()
            raise NotPaused(number)
        return Copy(os.pread(self._memory, size, 0), unread, pause / 1e9, threads)

    def close(self) -> None:
        """Kill the child, which releases the target, and reap it. May be called again."""
        memory, self._memory = self._memory, -1
        if memory >= 0:
            os.close(memory)
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe:
                    pipe.close()

    def __enter__(self) -> Tracer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _send(self, ranges: Sequence[Range]) -> None:
        assert self._child.stdin
        request = program.REQUEST.pack(len(ranges), int(STOP_WITHIN * 1e9))
        request += struct.pack(f"<{2 * len(ranges)}Q", *chain.from_iterable(ranges))
        try:
            while request:
                request = request[self._child.stdin.write(request) :]
        except OSError as problem:
            self.close()
            raise NotPaused(problem.errno or errno.EPIPE) from None

    def _receive(self, size: int, deadline: float) -> bytes:
        assert self._child.stdout
        poll = select.poll()
        poll.register(self._child.stdout, select.POLLIN)
        data = b""
        while len(data) < size:
            waiting = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            part = os.read(self._child.stdout.fileno(), size - len(data)) if waiting else b""
            if not part:
                self.close()
                raise NotPaused(errno.EPIPE if waiting else errno.ETIMEDOUT)
            data += part
        return data
