"""What the target may still take of the machine: memory below its limit, and how long others wait for its disks.

A limit is that of the closest control group that has one (cgroups(7)): v2 `memory.max`, v1 `memory.limit_in_bytes`.
Files of groups are read where this system mounts them; where it does not, there is no answer.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from qqdiag.collect import proc

MOUNT = "/sys/fs/cgroup"
UNLIMITED = 1 << 60  # v1 has no word for it: the largest multiple of a page (mm/page_counter.c)
DEPTH = 32  # groups within groups
KIB = 1024


class Limit(NamedTuple):
    """The closest limit of memory: its bytes, and how many of them its group uses (caches of files included)."""

    limit: int
    used: int


def memory_limit(groups: str) -> Limit | None:
    """By the /proc/PID/cgroup of the target; None where none of its groups has a limit, or none is to be seen."""
    found = [limit for folder, names in _folders(groups) if (limit := _limit(folder, *names)) is not None]
    return min(found, key=lambda one: one.limit - one.used, default=None)


def available() -> int | None:
    """Bytes that the machine can still give without swapping (proc(5), MemAvailable)."""
    words = proc.status_fields(proc.read_if_shown("/proc/meminfo") or b"").get("MemAvailable", "").split()
    return int(words[0]) * KIB if words else None


def io_pressure(groups: str) -> float | None:
    """Seconds so far in which some task waited for a disk: of the target's own v2 group, else of the whole machine.

    Documentation/accounting/psi.rst; None where the kernel keeps none.
    """
    own = [os.path.join(f"{MOUNT}{path}", "io.pressure") for path in _paths(groups, "")]
    for name in (*own, "/proc/pressure/io"):
        if (found := _stalled(name)) is not None:
            return found
    return None


def _folders(groups: str) -> list[tuple[str, tuple[str, str]]]:
    """Every folder of memory that the target is below, and the names of its two files."""
    v2 = [(f"{MOUNT}{path}", ("memory.max", "memory.current")) for path in _paths(groups, "")]
    v1 = [
        (f"{MOUNT}/memory{path}", ("memory.limit_in_bytes", "memory.usage_in_bytes"))
        for path in _paths(groups, "memory")
    ]
    return [(folder, names) for start, names in (*v2, *v1) for folder in _upwards(start)]


def _paths(groups: str, controller: str) -> list[str]:
    """The target's paths in the hierarchy of a controller; "" is v2's only one."""
    rows = [line.split(":", 2) for line in groups.split("\n")]
    return [row[2] for row in rows if len(row) == 3 and controller in row[1].split(",") and ".." not in row[2]]


def _upwards(folder: str) -> list[str]:
    found: list[str] = []
    while folder.startswith(MOUNT) and len(found) < DEPTH:
        found.append(folder.rstrip("/"))
        folder = os.path.dirname(folder.rstrip("/"))
    return found


def _limit(folder: str, limit: str, used: str) -> Limit | None:
    most, now = _number(os.path.join(folder, limit)), _number(os.path.join(folder, used))
    return Limit(most, now) if most is not None and now is not None and 0 < most < UNLIMITED else None


def _number(path: str) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _stalled(path: str) -> float | None:
    """`some avg10=0.00 avg60=0.00 avg300=0.00 total=70263281`: microseconds."""
    for line in _text(path).splitlines():
        name, _, total = line.rpartition("total=")
        if name.startswith("some") and total.isdecimal():
            return int(total) / 1e6
    return None


def _text(path: str) -> str:
    try:
        return proc.text(proc.read(path, 4096))
    except OSError:
        return ""
