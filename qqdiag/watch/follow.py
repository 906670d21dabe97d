"""The gateway over its restarts: the next process of the same unit, or of the same command line."""

from __future__ import annotations

import os
from dataclasses import dataclass

from qqdiag import find
from qqdiag.collect import proc
from qqdiag.errors import NoSuchTarget, NotReadable, QqdiagError, TargetGone, UsageError
from qqdiag.model import Say
from qqdiag.target import Live, live, resolve

COMMAND_MAX = 1 << 16  # bytes


@dataclass(slots=True)
class Followed:
    """What is known of the gateway that must be found again."""

    text: str | None  # as the user gave it
    command: bytes = b""  # its /proc/PID/cmdline

    def first(self) -> Live:
        """The process that the user meant. Raises as `target.resolve`; UsageError where it is a file."""
        found = resolve(self.text)
        if not isinstance(found, Live):
            raise UsageError(
                Say("this needs a running process, not a file"), Say("qqdiag inspect FILE shows what it holds")
            )
        self.command = proc.read(f"/proc/{found.pid}/cmdline", COMMAND_MAX)
        return found

    def again(self, pid: int) -> Live | None:
        """The process `pid`, or what has taken its place; None while there is neither."""
        try:
            return live(pid)
        except QqdiagError:
            return self.next()

    def next(self) -> Live | None:
        """The process that has taken its place; None while there is none."""
        try:
            if self.text is not None and not self.text.isdecimal():
                return self.first()
            return self._same_command()
        except (NoSuchTarget, TargetGone, NotReadable, OSError):
            return None

    def _same_command(self) -> Live | None:
        own = set(find.ancestors(os.getpid()))
        for pid in sorted(find.pids(), reverse=True):
            if pid in own:
                continue
            try:
                if self.command and proc.read(f"/proc/{pid}/cmdline", COMMAND_MAX) == self.command:
                    return live(pid)
            except (OSError, QqdiagError):
                continue
        return None
