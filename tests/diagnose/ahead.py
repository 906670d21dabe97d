"""Lab gateways side by side: while one is judged, the next ones come into their states.

Nearly all that a case takes is waiting: for processes to start, for facts to last, for the interval between samples.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Key = TypeVar("Key")
Result = TypeVar("Result")
WIDTH = 3  # at once, on two cores


@contextlib.contextmanager
def ahead(wanted: Sequence[Key], look: Callable[[Key], Result]) -> Iterator[Callable[[Key], Result]]:
    """Answers `look` of a key, begun while the keys before it in `wanted` were judged. What it raises is raised."""
    begun: dict[Key, Future[Result]] = {}
    with ThreadPoolExecutor(WIDTH) as pool:

        def answer(key: Key) -> Result:
            at = wanted.index(key)
            for one in wanted[at : at + WIDTH]:
                if one not in begun:
                    begun[one] = pool.submit(look, one)
            return begun[key].result()

        yield answer
