"""What can be said of a process whose memory may not be read: by its first thread, its sockets and its log's last word.

None of it proves what code does. Who uses this says so, and names what else it may be.
"""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.episodes import HEALTHY, LOST, OPENED
from qqdiag.snapshot import LogEvent, LogFile, Logs, Process, Socket, TcpInfo
from qqdiag.waits import View
from qqdiag.waits.disks import STILL
from qqdiag.waits.disks import waits as waits_for_disk
from qqdiag.waits.kernel_threads import Between, between, is_python, of, selects
from qqdiag.waits.traffic import moved_anywhere

COMPUTES = 20.0  # percent of a core: with less, a thread that sleeps now and then may well sleep most of the time
EPOLLIN = 0x1
# Words of a profile's phrases that are of the connection, and not of something beside it.
OF_CONNECTION = (
    HEALTHY
    | LOST
    | OPENED
    | {"started", "identified", "resume-sent", "quick-disconnect", "session-cleared", "rate-limited", "token-invalid"}
    | {"reconnecting", "reconnect-failed", "gave-up", "fatal", "server-reconnect", "session-invalid", "disconnected"}
)
SAME_CLOCK = 120.0  # seconds by which the age of a log's last line may differ from its file's: else the zone is wrong


@dataclass(frozen=True, slots=True)
class Standing:
    """A first thread that stood in one call, other than a selector, in both samples."""

    thread: Between
    unread: float | None  # seconds for which bytes have lain in a socket that a loop watches; None: there is none


def computes(view: View) -> Between | None:
    """An interpreter's first thread, if it had the CPU or waited for it all the time, and no byte came or went."""
    first = _first(view)
    if first is None or first.rests > STILL or (first.rests and first.cpu < COMPUTES) or moved_anywhere(view):
        return None
    states = (first.now.state.reveal(), first.before.state.reveal())
    return first if states == ("R", "R") else None


def stands(view: View) -> Standing | None:
    """The first thread of a process that has an event loop, if it sleeps in another call than a loop's."""
    first = _first(view)
    if first is None or (first.now.wchan is None and first.now.syscall is None):
        return None
    asleep = first.now.state.reveal() == first.before.state.reveal() == "S"
    if not asleep or not first.same_call or first.rests > STILL or waits_for_disk(first.now):
        return None
    if _selects_anywhere(view) or any(one.cpu >= COMPUTES for one in between(view)):
        return None  # a loop may turn in another thread
    watched = [row for row in view.sockets.values() if row.epoll is not None]
    return Standing(first, _unread(view, watched)) if watched else None


def _first(view: View) -> Between | None:
    process = view.last.process
    if not isinstance(process, Process) or not is_python(process):
        return None
    return next((one for one in between(view) if one.first), None)


def _selects_anywhere(view: View) -> bool:
    """Whether any thread waits in a selector: the loop may be there."""
    return any(selects(thread) for sample in (view.last, view.earlier) for thread in of(sample))


def _unread(view: View, watched: list[Socket]) -> float | None:
    """How long bytes have lain, in both samples, in a connection whose arrival an epoll tells."""
    ages = []
    for row in watched:
        before = view.sockets_before.get(row.fd)
        if before is None or before.inode != row.inode or not (row.epoll or 0) & EPOLLIN:
            continue
        if row.receive_queue and before.receive_queue and isinstance(row.tcp, TcpInfo):
            ages.append(row.tcp.last_data_received)
    return max(ages, default=None)


def last_word(view: View) -> LogEvent | None:
    """What the log of this run of the process said last of the connection; None where its times cannot be trusted."""
    process, logs = view.last.process, view.logs
    if not isinstance(process, Process) or not isinstance(logs, Logs):
        return None
    files = [file for file in logs.files if _same_clock(file)]
    told = max((_told(file) for file in files), key=len, default=[])
    return min(told, key=lambda event: event.age, default=None)


def _told(file: LogFile) -> list[LogEvent]:
    """The last of those of one age is the one that was written last."""
    return [one for one in reversed(file.events) if one.event.reveal() in OF_CONNECTION]


def _same_clock(file: LogFile) -> bool:
    """Whether its times are read in the zone that they were written in."""
    age = file.last[-1].age if file.last else None
    return age is not None and abs(age - file.age) <= SAME_CLOCK


def is_hot(said: LogEvent | None) -> bool:
    """Whether it ends where a listener of a closed WebSocket begins to spin (hermes-agent #31771)."""
    return said is not None and said.event.reveal() == "reconnect-failed"
