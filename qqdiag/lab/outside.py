"""The states again, from outside: the kernel's view of the lab's gateway (/proc, proc(5))."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qqdiag.errors import QqdiagError
from qqdiag.model import Say, Seconds, Word

Seen = dict[str, Any] | None
TICKS = os.sysconf("SC_CLK_TCK")
TCP_STATES = {"01": "ESTAB", "08": "CLOSE-WAIT"}  # include/net/tcp_states.h, those that are asked for here


def until(what: str, look: Callable[[], Seen], seconds: float = 20.0) -> dict[str, Any]:
    """Look until there is something to see; `what` names it in the error."""
    end = time.monotonic() + seconds
    while (seen := look()) is None:
        if time.monotonic() > end:
            message = Say("The lab's gateway was not {what} within {time}.", what=Word(what), time=Seconds(seconds))
            raise QqdiagError(message, Say("Try again on a machine that is less busy."))
        time.sleep(0.02)
    return seen


def spinning(pid: int, seconds: float = 0.5) -> Seen:
    """Runs all the time, in no system call, and gives up the processor against its will only."""
    before, asked = _cpu(pid), _voluntary(pid)
    time.sleep(seconds)
    used, given = (_cpu(pid) - before) / seconds, _voluntary(pid) - asked
    if _state(pid) == "R" and used > 0.1 and given == 0 and _syscall(pid) in ("running", None):
        return {"state": "R", "cpu": round(used, 2), "voluntary_switches": given}
    return None


def asleep(pid: int, *wchans: str) -> Seen:
    """The main thread sleeps in one of these kernel functions; any, where the kernel does not tell."""
    wchan = _read(pid, "wchan")
    if _state(pid) in ("S", "D") and (wchan in ("0", "") or any(name in wchan for name in wchans)):
        return {"state": "S", "wchan": wchan}
    return None


def polling(pid: int) -> Seen:
    """The main thread sleeps in epoll, as a loop does that runs and has nothing to do."""
    return asleep(pid, "ep_poll", "do_epoll_wait")


def in_state(pid: int, state: str) -> Seen:
    """The main thread is in that state (proc(5), stat)."""
    return {"state": state} if _state(pid) == state else None


def older(pid: int, seconds: float) -> Seen:
    """The process began so long ago."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(_stat(pid)[19]) / TICKS
    return {"age": round(age, 1)} if age >= seconds else None


def descriptors(pid: int) -> int:
    """How many file descriptors the process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def sockets(pid: int) -> list[dict[str, Any]]:
    """TCP sockets of the process: state, queues, ports (/proc/PID/net/tcp of its own network namespace)."""
    rows = (line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:])
    inodes = _inodes(pid)
    return [
        {
            "state": TCP_STATES.get(row[3], row[3]),
            "unsent": int(row[4].split(":")[0], 16),
            "unread": int(row[4].split(":")[1], 16),
            "port": int(row[2].split(":")[1], 16),
            "timer": int(row[5].split(":")[0]),
            "retransmits": int(row[6], 16),
        }
        for row in rows
        if row[9] in inodes
    ]


def _inodes(pid: int) -> set[str]:
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            link = str(fd.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        if link.startswith("socket:["):
            found.add(link[8:-1])
    return found


def _read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/task/{pid}/{name}").read_text()


def _stat(pid: int) -> list[str]:
    return _read(pid, "stat").rpartition(")")[2].split()


def _state(pid: int) -> str:
    return _stat(pid)[0]


def _cpu(pid: int) -> float:
    """Seconds of processor time of the main thread."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def _voluntary(pid: int) -> int:
    lines = _read(pid, "status").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def _syscall(pid: int) -> str | None:
    """First word of the syscall file; None where it may not be read."""
    try:
        return _read(pid, "syscall").split()[0]
    except PermissionError:
        return None
