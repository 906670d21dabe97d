"""The wait graph over a snapshot: who waits for whom, what will wake it, and did it move between the samples."""

from __future__ import annotations

from qqdiag.snapshot import Snapshot


class View:
    """A snapshot with its indexes, made once and shared by all signatures."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
