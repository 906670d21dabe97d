"""What was done about one failure of one process: kept over an interruption, and told in the report."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from qqdiag.errors import QqdiagError
from qqdiag.model import Moment
from qqdiag.output import write_private


class Done(msgspec.Struct):
    """One command as the runbook has it, its places unfilled, so that it is public."""

    at: float  # seconds since 1970
    command: str
    exit_code: int | None  # None: killed when its time was over


class Journal:
    """The commands that were run, in order. It lies in the user's state folder, by process and failure."""

    def __init__(self, pid: int, start_ticks: int, failure: str) -> None:
        state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        self._path = Path(state) / "qqdiag" / f"triage-{pid}-{start_ticks}-{failure}.json"
        self.done = self._read()

    def _read(self) -> list[Done]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Done])
        except (OSError, msgspec.MsgspecError):
            return []

    def before(self, command: str) -> Done | None:
        """When it was run already and ended well."""
        return next((done for done in self.done if done.command == command and done.exit_code == 0), None)

    def add(self, command: str, at: Moment, exit_code: int | None) -> None:
        """Note it. Where that cannot be kept, it is known until the end."""
        self.done.append(Done(float(at), command, exit_code))
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._path, msgspec.json.encode(self.done))
        except (OSError, QqdiagError):
            return
