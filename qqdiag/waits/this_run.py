"""What the log says of this run of the process: the file goes on over a restart, and what failed may be well since.

A log line has a wall clock's time, and the process an age by the kernel's. Where the wall clock was set back in
between, lines that were written earlier seem to be the younger ones: what stands before such a place is not taken
either. Where it was set forward, lines of this run seem older than the process, and are lost to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from qqdiag.model import Missing, Say
from qqdiag.snapshot import LogEvent, Logs, Process, Snapshot

SET_BACK = 5.0  # seconds by which a line seems younger than the one after it: two threads' lines differ by far less


def logs_of_this_run(snapshot: Snapshot) -> Logs | Missing | None:
    """The logs with the events of this run alone; their last lines and what was put aside as they are.

    Missing where there are events, and when the process began is not known: they may be of an earlier run.
    """
    logs, process = snapshot.logs, snapshot.samples[-1].process
    if not isinstance(logs, Logs) or not any(file.events for file in logs.files):
        return logs
    began = logs.process_age
    if began is None and isinstance(process, Process):
        began = process.uptime
    if began is None:
        return _undated(snapshot.pid)
    return replace(logs, files=[replace(file, events=since(file.events, began)) for file in logs.files])


def since(events: Sequence[LogEvent], began: float) -> list[LogEvent]:
    """Those of a process that began so many seconds ago. They come, and are given, in the order of their writing."""
    own: list[LogEvent] = []
    for event in reversed(events):
        if event.age > began or (own and event.age < own[-1].age - SET_BACK):
            break
        own.append(event)
    return own[::-1]


def _undated(pid: int) -> Missing:
    return Missing(
        Say("when its process began is not known, so that its log may speak of an earlier run"),
        Say("compare the times of its log with: ps -o lstart= -p {pid}", pid=pid),
    )
