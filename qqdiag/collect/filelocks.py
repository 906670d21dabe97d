"""Who holds the file lock that the target waits for: /proc/locks, which every user may read (proc(5))."""

from __future__ import annotations

from qqdiag.collect import proc

BYTES_MAX = 1 << 20


def holder(pid: int) -> int | None:
    """The pid of who holds a lock that a thread of the process waits for; 0 where it is not told, None for no wait.

    `3: FLOCK ADVISORY WRITE 4711 …` holds, `3: -> FLOCK ADVISORY WRITE 4712 …` waits for it (fs/locks.c). Locks of
    open file descriptions name no process (-1).
    """
    try:
        lines = proc.text(proc.read("/proc/locks", BYTES_MAX)).splitlines()
    except OSError:
        return None
    owners: dict[str, int] = {}
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "->" and _number(words[5]) == pid:
            return owners.get(words[0], 0)
        if len(words) > 4 and words[1] != "->":
            owners[words[0]] = _number(words[4])
    return None


def _number(word: str) -> int:
    return int(word) if word.isdecimal() else 0
