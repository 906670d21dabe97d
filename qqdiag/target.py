"""What the user pointed at: a pid, a capture, a core, a systemd unit, or nothing, which means the only gateway here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qqdiag import access, find
from qqdiag.collect import proc, units
from qqdiag.errors import NoSuchTarget, NotPermitted, NotReadable, QqdiagError, TargetGone, UsageError
from qqdiag.memory.image import Image
from qqdiag.memory.unpacked import FORMS
from qqdiag.model import Say

PF_KTHREAD = 0x00200000  # linux/sched.h, in field 9 of /proc/PID/stat
PID_MAX = 1 << 22  # linux/threads.h PID_MAX_LIMIT


@dataclass(frozen=True, slots=True)
class Live:
    """A running process. The start time makes sure that it is still the same one, the image that it runs the same
    program."""

    pid: int
    start_ticks: int  # field 22 of /proc/PID/stat; 0 where there is no /proc
    image: Image | None = field(default=None, compare=False)  # None: not known
    refused: NotPermitted | None = field(default=None, compare=False)  # why its memory may not be read

    def check(self) -> None:
        """Raises TargetGone when the process ended, its pid belongs to another one now, or it runs another program."""
        if not self.start_ticks:
            return
        try:
            state, ticks = _state(self.pid)
        except NoSuchTarget:
            raise proc.gone(self.pid) from None
        if ticks != self.start_ticks or state in ("Z", "X"):
            raise proc.gone(self.pid)
        if self.image is not None and not self.image.lives:
            raise _executed(self.pid)


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A capture (capture.py)."""

    path: Path


@dataclass(frozen=True, slots=True)
class Core:
    """A core file (memory/core.py), packed or not (memory/unpacked.py), and where the files of its process are."""

    path: Path
    sysroot: Path | None = None  # the folder that was its `/`; None: this machine's


Target = Live | CaptureFile | Core


def resolve(text: str | None, sysroot: Path | None = None, *, closed: bool = False) -> Target:
    """The target that a word on the command line means. Raises a QqdiagError with what to type instead.

    `sysroot` goes with a core alone. `closed`: whether a process whose memory may not be read is a target too.
    """
    target = _resolved(text)
    if isinstance(target, Live) and target.refused is not None and not closed:
        raise target.refused
    if sysroot is None:
        return target
    if not isinstance(target, Core):
        raise UsageError(
            Say("--sysroot is for a core file: it says where the files of its process are"),
            Say("qqdiag inspect CORE --sysroot FOLDER"),
        )
    return Core(target.path, sysroot)


def _resolved(text: str | None) -> Target:
    if text is None:
        return process(find.the_gateway())
    if text.isdecimal():
        return process(int(text))
    if os.path.lexists(text) or "/" in text:
        return _file(Path(text))
    return process(_main_pid(text))


def live(pid: int) -> Live:
    """A process that can be read. NoSuchTarget, TargetGone (a zombie), NotReadable (of the kernel), NotPermitted."""
    found = process(pid)
    if found.refused is not None:
        raise found.refused
    return found


def process(pid: int) -> Live:
    """As `live`, of a process whose memory may be closed as well: then it says why."""
    if sys.platform != "linux":
        return _live_elsewhere(pid)
    proc.check_mounted()
    if not 0 < pid <= PID_MAX:
        raise NoSuchTarget(
            Say("{pid} is no process id", pid=pid), Say("qqdiag inspect, without a number, looks for one")
        )
    state, ticks = _state(pid)
    if state in ("Z", "X"):
        raise TargetGone(
            Say("process {pid} has ended and waits for its parent to notice (zombie)", pid=pid),
            Say("look at the parent: qqdiag inspect {parent}", parent=_parent(pid)),
        )
    if int(_fields(pid)[6]) & PF_KTHREAD:
        raise NotReadable(
            Say("process {pid} is a thread of the kernel, not Python", pid=pid),
            Say("list the processes that have an event loop: qqdiag ps"),
        )
    leader = int(proc.status_fields(proc.read(f"/proc/{pid}/status"))["Tgid"])
    if leader != pid:
        raise NoSuchTarget(
            Say("{pid} is a thread of process {leader}", pid=pid, leader=leader),
            Say("qqdiag inspect {leader}", leader=leader),
        )
    try:
        return Live(pid, ticks, access.image(pid))
    except NotPermitted as refused:
        return Live(pid, ticks, refused=refused)


def _live_elsewhere(pid: int) -> Live:
    """Where there is no /proc: whether it may be read, the collectors find out."""
    import psutil

    if not psutil.pid_exists(pid):
        raise NoSuchTarget(
            Say("there is no process {pid}", pid=pid),
            Say("list the processes that have an event loop: qqdiag ps"),
        )
    return Live(pid, 0)


def _fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state on."""
    try:
        return proc.stat_fields(proc.read(f"/proc/{pid}/stat"))[1]
    except (FileNotFoundError, ProcessLookupError):
        raise (proc.hidden(pid) if proc.exists(pid) else _absent(pid)) from None


def _state(pid: int) -> tuple[str, int]:
    fields = _fields(pid)
    return fields[0], int(fields[19])


def _executed(pid: int) -> TargetGone:
    return TargetGone(
        Say("process {pid} began another program while it was read (exec)", pid=pid),
        Say("look at that one: qqdiag inspect {pid}", pid=pid),
    )


def _parent(pid: int) -> int:
    return int(_fields(pid)[1])


def _absent(pid: int) -> NoSuchTarget:
    """There is no such pid here; maybe a container has one."""
    hosts = list(_seen_inside_as(pid))
    if not hosts:
        return NoSuchTarget(
            Say("there is no process {pid}", pid=pid),
            Say("list the processes that have an event loop: qqdiag ps"),
        )
    if len(hosts) == 1:
        return NoSuchTarget(
            Say("{pid} is a pid inside a container: here it is process {host}", pid=pid, host=hosts[0]),
            Say("qqdiag inspect {host}", host=hosts[0]),
        )
    return NoSuchTarget(
        Say(
            "{pid} is a pid inside {count} containers, the first is process {host} here",
            pid=pid,
            count=len(hosts),
            host=hosts[0],
        ),
        Say("choose by their commands: grep -l {pid} /proc/[0-9]*/status", pid=pid),
    )


def _seen_inside_as(pid: int) -> Iterator[int]:
    """The processes whose innermost pid (NSpid of /proc/PID/status) is this one."""
    for host in find.pids():
        try:
            inside = proc.status_fields(proc.read(f"/proc/{host}/status")).get("NSpid", "").split()
        except OSError:
            continue
        if len(inside) > 1 and int(inside[-1]) == pid:
            yield host


def _file(path: Path) -> CaptureFile | Core:
    if os.path.exists(path) and not os.path.isfile(path):  # to open a fifo would wait for its other end
        raise NotReadable(
            Say("this is a folder or a device, not a capture or a core file"),
            Say("of a folder of captures, which failure, where, how often: qqdiag report FOLDER"),
        )
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError:
        raise NoSuchTarget(Say("there is no such file"), Say("ls -l, and give its path")) from None
    except OSError:
        raise NotReadable(Say("the file cannot be read"), Say("ls -l, and run as its owner")) from None
    if head == b"PK\x03\x04":
        return CaptureFile(path)
    if head in (b"\x7fELF", *FORMS):
        return Core(path)
    raise NotReadable(
        Say("this file is neither a capture of qqdiag nor a core file"),
        Say("make one with: qqdiag capture PID -o hang.qqd"),
    )


def _main_pid(unit: str) -> int:
    """The main process of a systemd unit (systemctl(1), show; `0` when it does not run), of the system's manager or of
    a user's own."""
    if unit.startswith("-"):
        raise UsageError(Say("a target does not begin with a dash"), Say("qqdiag inspect --help"))
    found = _shown(unit) or units.first(unit)
    if not found:
        raise _no_unit()
    if len(found) > 1:
        raise UsageError(
            Say("{count} units of that name run, the first is process {pid}", count=len(found), pid=found[0]),
            Say("choose by their users: qqdiag ps"),
        )
    return found[0]


def _shown(unit: str) -> list[int]:
    """What the system's manager says."""
    try:
        shown = subprocess.run(
            ["systemctl", "show", "--property=MainPID", "--value", "--", unit], capture_output=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    pid = shown.stdout.strip()
    return [int(pid)] if not shown.returncode and pid.isdigit() and int(pid) else []


def _no_unit() -> QqdiagError:
    return NoSuchTarget(
        Say("the target is neither a pid nor a file nor a running unit of systemd"),
        Say("systemctl list-units --type=service --state=running, or give the pid"),
    )
