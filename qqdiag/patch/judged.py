"""What is said of one fix in one adapter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from qqdiag.model import Say
from qqdiag.patch.code import Code
from qqdiag.patch.roles import Roles
from qqdiag.patch.values import Table, Value


class Verdict(Enum):
    HAS = "has"
    LACKS = "lacks"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True)
class Place:
    """A line of the adapter's file (1-based), and what is wrong there, or shows the fix."""

    line: int
    text: Say


@dataclass(frozen=True)
class Judged:
    """The verdict on one fix. Lines are of what lacks; empty where it has it."""

    verdict: Verdict
    places: tuple[Place, ...] = ()


@dataclass(eq=False)
class Adapter:
    """An adapter's source, parsed, with its parts known."""

    code: Code
    roles: Roles


class Refused(Exception):
    """The change cannot be made in this source; `reason` says why."""

    def __init__(self, reason: Say) -> None:
        super().__init__(reason.template)
        self.reason = reason


HAS = Judged(Verdict.HAS)


def lacks(*places: Place) -> Judged:
    """One line once, in the order of the file."""
    by_line = {place.line: place for place in reversed(places)}
    return Judged(Verdict.LACKS, tuple(by_line[line] for line in sorted(by_line)))


def cannot_tell(why: Say) -> Judged:
    return Judged(Verdict.UNKNOWN, (Place(0, why),))


def has_unless(places: Iterable[Place]) -> Judged:
    found = tuple(places)
    return lacks(*found) if found else HAS


def frame(op: Value, event: Value, seq: Value, body: Value) -> Table:
    """A frame of the QQ gateway."""
    return Table((("op", op), ("t", event), ("s", seq), ("d", body), ("id", event)))
