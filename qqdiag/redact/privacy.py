"""What the caller asked of a public page beyond the rule: more hidden, less of it, names that last, or log text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Privacy:
    """`key`: makes pseudonyms the same in every report that is made with it; empty: counters, for one report alone.

    `drop`: sections to leave out (leave_out.SECTIONS). `log_text`: log lines are shown by the second net (net.py).
    """

    mask_code: bool = False
    key: bytes = b""
    log_text: bool = False
    drop: tuple[str, ...] = ()


RULE = Privacy()
