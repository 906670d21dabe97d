"""What `run` hands to `capture`: a snapshot and the memory that it was read from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from qqdiag.memory.source import Region
from qqdiag.model import Missing
from qqdiag.snapshot import Snapshot


class Memory(NamedTuple):
    """The memory behind one sample, as far as it was read: for a capture."""

    pages: dict[int, bytes]
    regions: Sequence[Region]


class Recording(NamedTuple):
    """A snapshot and the memory behind each of its samples.

    `whole`: all of it at one moment; None: not asked for. `machine` as uname(2) calls it; "": this one.
    """

    snapshot: Snapshot
    memories: tuple[Memory, ...]
    whole: Memory | Missing | None = None
    machine: str = ""
