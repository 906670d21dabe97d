"""In which order a page that is handed on has its sections: what a maintainer asks first stands first."""

from __future__ import annotations

from enum import StrEnum


class Place(StrEnum):
    """The sections by their ids, in this order. `other` is one that is not listed: behind what was seen."""

    EVIDENCE = "evidence"
    PROCESS = "process"
    TIMELINE = "timeline"
    TASKS = "tasks"
    HEAP = "heap"
    LOCKS = "locks"
    SOCKETS = "sockets"
    THREADS = "threads"
    GATEWAY = "gateway"
    CONFIGURATION = "configuration"
    OTHER = "other"
    CHECKED = "checked"
    MISSING = "missing"


_PLACES = {str(place): place for place in Place}
_ORDER = tuple(Place)


def place(section: str) -> Place:
    """Where a section stands, by its id."""
    return _PLACES.get(section, Place.OTHER)


def rank(section: str) -> int:
    """The position of a section among others."""
    return _ORDER.index(place(section))
