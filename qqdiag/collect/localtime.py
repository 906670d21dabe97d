"""The target's time zone: its log lines carry local time and no zone.

Two witnesses: the file itself (its last record was written when the file was last changed), and the zone's name. A zone
file of the target's is never decoded: a damaged one keeps Python's decoder busy for ever (zoneinfo, CPython 3.11), so
the name is looked up in our own machine's table.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo

from qqdiag.collect import rooted

LOCALTIME, TABLE = "/etc/localtime", "/usr/share/zoneinfo"
QUARTER = 900  # seconds: every zone's offset is a multiple of it
SLACK = 2.0  # seconds between a record's time and the end of its writing
FARTHEST = 14 * 3600  # Pacific/Kiritimati
# The simple POSIX form: a name, and hours to be added to local time to get UTC (tzset(3)); no summer time.
_POSIX = re.compile(r"(?:[A-Za-z]{3,}|<[-+\w]{3,}>)([+-]?)(\d{1,2})(?::?([0-5]\d))?")


def named(root: str, variables: dict[str, str]) -> datetime.tzinfo | None:
    """By its TZ, else by where its /etc/localtime leads; None where that is a plain file, which has no name.

    A zone that its own system has no file for is UTC, as the C library has it (tzset(3)).
    """
    name = variables.get("TZ", "").removeprefix(":")
    if name:
        path = name if name.startswith("/") else f"{TABLE}/{name}"
        return _posix(name) or (_known(path) if rooted.exists(root, path) else datetime.UTC)
    if not rooted.exists(root, LOCALTIME):
        return datetime.UTC
    link = rooted.link(root, LOCALTIME)
    return _known(link) if link else None


def written(last: datetime.datetime, changed_at: float) -> datetime.timezone | None:
    """The zone in which the local time `last` is the moment `changed_at`; None where there is none."""
    offset = last.replace(tzinfo=datetime.UTC).timestamp() - changed_at
    quarters = round(offset / QUARTER) * QUARTER
    if abs(offset - quarters) > SLACK or abs(quarters) > FARTHEST:
        return None
    return datetime.timezone(datetime.timedelta(seconds=quarters))


def agreed(
    by_name: datetime.tzinfo | None, by_file: datetime.timezone | None, changed_at: float
) -> datetime.tzinfo | None:
    """The name where the file does not contradict it: it knows summer time too. Else the file."""
    if by_name is None or by_file is None:
        return by_name or by_file
    then = datetime.datetime.fromtimestamp(changed_at, by_name)
    return by_name if then.utcoffset() == by_file.utcoffset(None) else by_file


def moment(local: datetime.datetime, zone: datetime.tzinfo, following: float) -> float:
    """Seconds since 1970 of a local time that was written before the moment `following`.

    In the hour that a zone has twice a year twice (its clock was set back), the later one that is not after what
    follows: so lines are walked from the newest on. ValueError and OverflowError for years that no clock has.
    """
    first, second = (local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    return second if first < second <= following + SLACK else first


def _posix(name: str) -> datetime.tzinfo | None:
    if not (found := _POSIX.fullmatch(name)):
        return None
    sign = 1 if found[1] == "-" else -1
    hours, minutes = min(int(found[2]), 23), int(found[3] or 0)
    return datetime.timezone(sign * datetime.timedelta(hours=hours, minutes=minutes))


def _known(path: str) -> datetime.tzinfo | None:
    """The zone of our table that a path below some `zoneinfo` folder names."""
    try:
        return zoneinfo.ZoneInfo(path.rpartition("zoneinfo/")[2])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
