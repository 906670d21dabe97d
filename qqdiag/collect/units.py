"""The processes of a service of systemd by their control groups: of every manager, a user's own too, and unasked.

`systemctl show` asks the system's manager alone; that of another user answers root only by way of a session for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from qqdiag.collect import cgroup, proc

SUFFIX = ".service"


class Member(NamedTuple):
    """A process of a unit."""

    pid: int
    parent: int
    start_ticks: int
    group: str  # /proc/PID/cgroup: two users may have units of one name


def first(unit: str) -> list[int]:
    """The first process of each running unit of that name, in order; none where there is none.

    That is the oldest one whose parent is of another unit: what it started is younger or its child.
    """
    name = unit if unit.endswith(SUFFIX) else f"{unit}{SUFFIX}"
    members = list(_members(name))
    own = {(member.pid, member.group) for member in members}
    tops = [member for member in members if (member.parent, member.group) not in own]
    oldest: dict[str, Member] = {}
    for member in sorted(tops, key=lambda member: (member.start_ticks, member.pid)):
        oldest.setdefault(member.group, member)
    return sorted(member.pid for member in oldest.values())


def _members(name: str) -> Iterator[Member]:
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not entry.isdecimal():
            continue
        try:
            groups = proc.text(proc.read(f"/proc/{entry}/cgroup"))
            found = cgroup.unit(groups)
            if found is not None and found.reveal() == name:
                fields = proc.stat_fields(proc.read(f"/proc/{entry}/stat"))[1]
                yield Member(int(entry), int(fields[1]), int(fields[19]), groups)
        except OSError:
            continue
