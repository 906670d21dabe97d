"""What a log was before: its predecessors beside it, as the ways of rotating name them, plain or packed by gzip."""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

from qqdiag.collect import rooted
from qqdiag.model import Missing, Say

PARTS_MAX = 20
PACKED_MAX = 16 << 20  # bytes of a packed file
UNPACKED_MAX = 32 << 20  # bytes that come out of it: a small file may hold any number
MEMBERS_MAX = 100  # of one file: each costs a copy of what follows it
# agent.log.1 (logging.handlers, logrotate), agent.log.2026-11-21 (by time), agent.log-20261121 (logrotate dateext).
_SUFFIX = r"(?:\.(?P<number>\d{1,3})|[.-]\d{4}-?\d\d-?\d\d(?:[_.-][\d-]{1,10})?)(?P<packed>\.gz)?"


class Predecessor(NamedTuple):
    """One of them, not opened yet."""

    path: str
    number: int | None  # of its suffix
    packed: bool


def predecessors(root: str, path: str) -> list[Predecessor]:
    """Those of the log at `path`, in order of their numbers; those with a date newest first."""
    folder, _, name = path.rpartition("/")
    pattern = re.compile(re.escape(name) + _SUFFIX)
    try:
        names = rooted.names(root, folder or "/")
    except OSError:
        return []
    hits = [hit for one in names if (hit := pattern.fullmatch(one))]
    found = [
        Predecessor(f"{folder}/{hit[0]}", int(hit["number"]) if hit["number"] else None, bool(hit["packed"]))
        for hit in hits
    ]
    dated = sorted((one for one in found if one.number is None), key=lambda one: one.path, reverse=True)
    return [*sorted((one for one in found if one.number is not None), key=lambda one: one.number or 0), *dated][
        :PARTS_MAX
    ]


def unpacked(fd: int) -> tuple[bytes, Missing | None]:
    """What a gzip file holds; with the reason where that is not all of it. Nothing where it would be too much."""
    found, data = bytearray(), rooted.read_at(fd, 0, PACKED_MAX + 1)
    if len(data) > PACKED_MAX:
        return b"", _too_much()
    for _ in range(MEMBERS_MAX):
        member = zlib.decompressobj(31)
        try:
            found += member.decompress(data, UNPACKED_MAX + 1 - len(found))
        except zlib.error:
            return bytes(found), _damaged()
        if len(found) > UNPACKED_MAX:
            return b"", _too_much()
        data = member.unused_data.lstrip(b"\0")  # zeros fill it up
        if not member.eof or not data:
            return bytes(found), None if member.eof else _damaged()
    return bytes(found), _too_much()


def _too_much() -> Missing:
    return Missing(
        Say("a packed log is too big to be unpacked here"),
        Say("look into it: qqdiag inspect --raw names it, then zless"),
    )


def _damaged() -> Missing:
    return Missing(Say("a packed log is damaged or not complete"), Say("test it: gzip -t FILE"))
