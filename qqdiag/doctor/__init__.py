"""What qqdiag may do on this machine, found out by doing it to a process that is made for it, and what each lack costs.

The process is an orphan of the same user: the kernel lets a parent read its own children where it forbids others.
"""

from __future__ import annotations

import sys

from qqdiag.collect import proc
from qqdiag.doctor import place, rights, tools
from qqdiag.doctor.check import Check, orphan

__all__ = ["Check", "checks", "orphan"]


def checks() -> list[Check]:
    """Everything, in the order of its weight. NotReadable where there is no /proc, without which nothing goes."""
    if sys.platform == "linux":
        proc.check_mounted()
    with orphan() as pid:
        of_process = [check(pid) for check in (rights.memory, rights.pause, rights.kernel)]
        injection = tools.injection(pid)
    return [*of_process, *(check() for check in (*rights.OTHERS, *place.ALL, *tools.ALL)), injection]
