"""The target's time zone: its log lines carry local time and no zone."""

from __future__ import annotations

import datetime
import io
import re
import zoneinfo

from qqdiag.collect import rooted

ZONE_BYTES_MAX = 1 << 16
# The simple POSIX form: a name, and hours to be added to local time to get UTC (tzset(3)); no summer time.
_POSIX = re.compile(r"(?:[A-Za-z]{3,}|<[-+\w]{3,}>)([+-]?)(\d{1,2})(?::?([0-5]\d))?")


def zone(root: str, variables: dict[str, str]) -> datetime.tzinfo:
    """By its TZ, else its /etc/localtime; UTC where neither says anything, as the C library does."""
    named = variables.get("TZ", "").removeprefix(":")
    if named:
        return _named(root, named)
    try:
        return _file(root, "/etc/localtime")
    except (OSError, ValueError):
        return datetime.UTC


def _named(root: str, name: str) -> datetime.tzinfo:
    if posix := _POSIX.fullmatch(name):
        sign = 1 if posix[1] == "-" else -1
        hours, minutes = int(posix[2]), int(posix[3] or 0)
        return datetime.timezone(sign * datetime.timedelta(hours=min(hours, 23), minutes=minutes))
    path = name if name.startswith("/") else f"/usr/share/zoneinfo/{name}"
    try:
        return _file(root, path)
    except (OSError, ValueError):
        pass
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.UTC


def _file(root: str, path: str) -> datetime.tzinfo:
    return zoneinfo.ZoneInfo.from_file(io.BytesIO(rooted.read(root, path, ZONE_BYTES_MAX)))
