"""Whose the target is: its uid, and that user's name and home by the target's own account file.

Not by the name service: a machine whose LDAP hangs is one where this must answer, and a container has accounts of its
own.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from qqdiag.collect import proc, rooted


class Account(NamedTuple):
    name: str
    home: str


def effective_uid(pid: int) -> int:
    """The user as whom the target opens files. NoSuchTarget where it is gone."""
    if sys.platform != "linux":
        import psutil

        return int(psutil.Process(pid).uids().effective)
    try:
        return int(proc.status_fields(proc.read(f"/proc/{pid}/status"))["Uid"].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        raise proc.no_such_process(pid) from None


def by_uid(pid: int, uid: int) -> Account | None:
    """The account as the target's /etc/passwd has it; None where it has none, or its numbers are not ours."""
    if not proc.same_namespace(pid, "user"):
        return None
    try:
        data = rooted.read(rooted.root_of(pid), "/etc/passwd", proc.FILE_LIMIT)
    except OSError:
        return None
    for line in proc.text(data).splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2] == str(uid) and "\0" not in line:
            return Account(fields[0], fields[5])
    return None
