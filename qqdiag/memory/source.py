"""The one seam for bytes: everything that knows Python reads a target through `MemorySource`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class Unreadable(Exception):
    """No byte can be had at this address: unmapped, not captured, or the target is gone."""

    def __init__(self, address: int, size: int = 1) -> None:
        super().__init__(f"{size} bytes at {address:#x}")
        self.address = address
        self.size = size


class Region(NamedTuple):
    """A mapping of the target's address space, as in /proc/PID/maps."""

    start: int
    end: int
    readable: bool
    writable: bool
    offset: int  # of `start` in the file
    path: str  # as the target sees it; "" for anonymous memory


class MemorySource(Protocol):
    """A target's bytes: live, frozen, captured or from a core."""

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes at `address`; `Unreadable` where any of them cannot be had."""
        ...

    def regions(self) -> Sequence[Region]:
        """The mappings, in address order."""
        ...


@runtime_checkable
class Kept(Protocol):
    """A source that keeps what it has read in whole pages, for those who look at so much that a call for each word
    would cost most of the time."""

    kept: Mapping[int, bytes]  # by address: pages of PAGE bytes that `read` has met; `read` adds to them


@runtime_checkable
class Overtaken(Protocol):
    """A source that is older than its target is now."""

    later: MemorySource  # what it lacks as it is by now: for what was seen before, and is the same before and after
