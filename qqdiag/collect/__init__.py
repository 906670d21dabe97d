"""One collector a module: each reads one part of the target, and what fails becomes `Missing`.

This is the boundary: the one place that catches whatever a collector raises, and that does not wait for it for ever.
A collector runs in a daemon thread, so that one stuck in the kernel holds up neither the others nor our end.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

from qqdiag.errors import QqdiagError
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Missing, Name, Say, Seconds, Word

P = ParamSpec("P")
T = TypeVar("T")


def attempt(section: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Missing:
    """What the function returns, or why it failed."""
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - the boundary: a part that fails must not cost the other parts
        return failure(section, error)


class Pending(Generic[T]):
    """A collector at work. Its time runs from now on until `deadline` (time.monotonic())."""

    def __init__(self, section: str, deadline: float, work: Callable[[], T | Missing]) -> None:
        self._section = section
        self._began = time.monotonic()
        self._deadline = deadline
        self._answers: list[T | Missing] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(work()), name=section, daemon=True)
        if self._began < deadline:
            self._thread.start()

    def result(self) -> T | Missing:
        """Its answer; Missing when there is none at the deadline."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, self._deadline - time.monotonic()))
        return self._answers[0] if self._answers else self._overdue()

    def _overdue(self) -> Missing:
        return Missing(
            Say(
                "{section} did not answer within {limit}",
                section=Word(self._section),
                limit=Seconds(max(0.0, self._deadline - self._began)),
            ),
            Say("look again when the machine is less busy: qqdiag inspect"),
        )


def begin(
    section: str, deadline: float, function: Callable[P, T | Missing], *args: P.args, **kwargs: P.kwargs
) -> Pending[T]:
    """Start a collector beside us."""
    return Pending(section, deadline, lambda: attempt(section, function, *args, **kwargs))


def guarded(
    section: str, deadline: float, function: Callable[P, T | Missing], *args: P.args, **kwargs: P.kwargs
) -> T | Missing:
    """Run a collector and wait for its answer until `deadline` (time.monotonic())."""
    return begin(section, deadline, function, *args, **kwargs).result()


def failure(section: str, error: Exception) -> Missing:
    """Why a collector failed: what we say of it ourselves, or the kind of error, never its text, which is not ours."""
    if isinstance(error, QqdiagError):
        return Missing(error.message, error.hint)
    again = Say("look again: qqdiag inspect")
    if isinstance(error, Unreadable):
        return Missing(
            Say(
                "{section} needs memory that is not there (at {address})",
                section=Word(section),
                address=Hex(error.address),
            ),
            again,
        )
    if isinstance(error, PermissionError):
        return Missing(
            Say("{section} is not open to this user ({error})", section=Word(section), error=_errno(error)),
            Say('run it as root: sudo "$(command -v qqdiag)" inspect'),
        )
    if isinstance(error, OSError):
        return Missing(
            Say("{section} could not be read ({error})", section=Word(section), error=_errno(error)),
            again,
        )
    return Missing(
        Say("{section} failed in qqdiag itself ({error})", section=Word(section), error=Name(type(error).__qualname__)),
        Say("report this line, with the output of: qqdiag --version"),
    )


def _errno(error: OSError) -> Word:
    return Word(errno.errorcode.get(error.errno or 0, "no errno"))
