"""How something stands out, in every format."""

from __future__ import annotations

from enum import StrEnum


class Mark(StrEnum):
    """How a line stands out: on a terminal by colour, elsewhere by the words it already has."""

    PLAIN = "plain"
    BAD = "bad"
    WARN = "warn"
    GOOD = "good"
    DIM = "dim"
    STRONG = "strong"
