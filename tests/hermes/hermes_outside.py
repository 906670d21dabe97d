"""What the kernel says of a process: enough to see from outside that a case has reached its state."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STATES = {"01": "ESTAB", "08": "CLOSE-WAIT", "02": "SYN-SENT"}


@dataclass(frozen=True)
class Connection:
    """One IPv4 TCP socket of a process; queues in bytes."""

    state: str
    local_port: int
    remote_port: int
    unsent: int  # in its send queue
    unread: int  # in its receive queue


def main_thread_state(pid: int) -> str:
    """R, S, D …: the main thread runs the loop in every gateway here."""
    return stat(pid)[0]


def runnable_seconds(pid: int) -> float:
    """How long its main thread had a processor or waited for one: what it would have computed on a machine of its own
    (Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat)."""
    on_cpu, waited, _ = map(int, Path(f"/proc/{pid}/schedstat").read_text().split())
    return (on_cpu + waited) / 1e9


def cpu_seconds(pid: int) -> float:
    """User and system time of the main thread so far."""
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/task/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def wchan(pid: int) -> str:
    """The kernel function that the main thread sleeps in; needs the right to trace the process."""
    return Path(f"/proc/{pid}/task/{pid}/wchan").read_text()


def connections(pid: int, remote_port: int | None = None) -> list[Connection]:
    """Its TCP connections, optionally those to one port."""
    own = socket_inodes(pid)
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    found = [connection(row) for row in rows if int(row[9]) in own]
    return [one for one in found if remote_port is None or one.remote_port == remote_port]


def connection(row: list[str]) -> Connection:
    unsent, unread = row[4].split(":")
    local, remote = (int(row[column].split(":")[1], 16) for column in (1, 2))
    return Connection(STATES.get(row[3], row[3]), local, remote, int(unsent, 16), int(unread, 16))


def socket_inodes(pid: int) -> set[int]:
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(fd))
        except FileNotFoundError:  # closed since the folder was listed
            continue
        if match:
            found.add(int(match[1]))
    return found


def received_ago(pid: int, remote_port: int) -> list[float]:
    """Seconds since each connection of the process to that port received data (tcpi_last_data_recv, by ss)."""
    told = subprocess.run(
        ["ss", "-tinpHO", f"dport = :{remote_port}"], capture_output=True, text=True, check=True
    ).stdout
    own = [line for line in told.splitlines() if f"pid={pid}," in line]
    return [int(match[1]) / 1000 for line in own if (match := re.search(r"lastrcv:(\d+)", line))]
