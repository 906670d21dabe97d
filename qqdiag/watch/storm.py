"""A gateway that ends as soon as it was started, again and again: told once, and looked for less and less often."""

from __future__ import annotations

SHORT = 60.0  # seconds: who ends sooner did not start well
MANY = 5  # such lives in a row
LONGEST = 30.0  # seconds between two searches for the next process; a manager's watchdog has more patience


class Storm:
    """The lives of one gateway's processes that were short, in a row."""

    def __init__(self) -> None:
        self._short = 0

    def ended(self, lived: float) -> bool:
        """A process has ended after so many seconds: whether a storm has begun with it."""
        self._short = self._short + 1 if lived < SHORT else 0
        return self._short == MANY

    def pause(self, interval: float) -> float:
        """Seconds until the next search: the interval, and in a storm twice as long with each process."""
        doublings = min(max(0, self._short - MANY + 1), 20)
        return max(interval, min(interval * (1 << doublings), LONGEST))
