"""How the target's memory grows while the interval passes: a few readings of /proc/PID/statm, 20 us each."""

from __future__ import annotations

import os
import sys
import time

from qqdiag.collect import proc
from qqdiag.model import Missing, Say
from qqdiag.snapshot import Growth

READINGS = 11


def collect(pid: int, seconds: float) -> Growth | Missing:
    """Readings at equal distances for `seconds`. TargetGone is left to others: what there is, is returned."""
    if sys.platform != "linux":
        return Missing(Say("how memory grows is read on Linux only"), Say("ps -o rss= -p {pid}, twice", pid=pid))
    page, step, found = os.sysconf("SC_PAGE_SIZE"), seconds / READINGS, []
    begun = time.monotonic()
    for number in range(READINGS):
        time.sleep(max(0.0, begun + number * step - time.monotonic()))
        try:
            words = proc.read(f"/proc/{pid}/statm", 256).split()
        except (FileNotFoundError, ProcessLookupError):
            break
        found.append((int(words[1]) - int(words[2])) * page)
    return Growth(step=step, private=found)
