"""Lines of a log of any size that may say a phrase, the newest first, within a budget.

It is read backwards in blocks, so that what is left unread is always the oldest; of a block only the lines are looked
at that hold what every phrase's line holds, the name of its logger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

BLOCK = 1 << 20
LINE_BYTES = 8192  # of a line from its beginning; 2000 characters have no more

Read = Callable[[int, int], bytes]  # offset, size


@dataclass(slots=True)
class Budget:
    """What may still be spent on logs."""

    bytes: int = 128 << 20
    lines: int = 60_000  # that hold a logger's name
    cpu_until: float = float("inf")  # by time.thread_time(): what a hostile log may cost

    def spent(self) -> bool:
        return self.bytes <= 0 or self.lines <= 0 or time.thread_time() > self.cpu_until


class Scan:
    """One walk from `end` towards the beginning; `offset` is how far it came."""

    def __init__(self, read: Read, end: int, wanted: Sequence[bytes], budget: Budget) -> None:
        self.offset = end
        self._read, self._wanted, self._budget = read, wanted, budget

    def lines(self) -> Iterator[bytes]:
        """Lines that hold what is wanted, each from its beginning, newest first."""
        later = b""  # the rest of a line that begins in an older block
        while self.offset > 0 and not self._budget.spent():
            size = min(BLOCK, self.offset, self._budget.bytes)
            self.offset -= size
            self._budget.bytes -= size
            data = self._read(self.offset, size)
            block = data + later if len(data) == size else data  # a file that was cut meanwhile has a gap
            first = block.find(b"\n") + 1 if self.offset else 0
            later = block[: first or None][:LINE_BYTES] if self.offset else b""
            if first or not self.offset:
                found = _holding(block, first, self._wanted)
                self._budget.lines -= len(found)
                yield from reversed(found)


def _holding(block: bytes, begin: int, wanted: Sequence[bytes]) -> list[bytes]:
    """The lines of a block, from `begin` on, that hold one of the words; each byte is looked at once a word."""
    spans = {span for word in wanted for span in _spans(block, begin, word)}
    return [block[start : min(end, start + LINE_BYTES)] for start, end in sorted(spans)]


def _spans(block: bytes, begin: int, word: bytes) -> Iterator[tuple[int, int]]:
    while begin < len(block) and (hit := block.find(word, begin)) >= 0:
        start = max(begin, block.rfind(b"\n", begin, hit) + 1)
        end = block.find(b"\n", hit)
        end = len(block) if end < 0 else end
        yield start, end
        begin = end + 1
