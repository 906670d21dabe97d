"""In which order a page that is handed on has its sections: what a maintainer asks first stands first."""

from __future__ import annotations

ORDER = (
    *("evidence", "process", "timeline", "tasks", "heap", "locks", "sockets", "threads", "gateway"),
    *("configuration", "checked", "missing"),
)


def place(section: str) -> int:
    """The position of a section by its id; one that is not listed comes behind what was seen, before what was not."""
    return ORDER.index(section) if section in ORDER else ORDER.index("checked")
