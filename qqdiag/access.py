"""Whether this user may read a target's memory, and if not, which rule of the kernel forbids it and what to type.

kernel/ptrace.c `__ptrace_may_access`: same user ids or CAP_SYS_PTRACE, then dumpable, then the security modules (yama).
"""

from __future__ import annotations

import os
import shutil

from qqdiag.collect import proc
from qqdiag.errors import NotPermitted
from qqdiag.model import Say, Word

CAP_SYS_PTRACE = 1 << 19  # linux/capability.h
YAMA = "/proc/sys/kernel/yama/ptrace_scope"


def check(pid: int) -> None:
    """Raises NotPermitted when the memory of a living process may not be read."""
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC))
    except PermissionError:
        raise NotPermitted(_reason(pid), _hint(pid)) from None
    except OSError:
        raise proc.gone(pid) from None


def _reason(pid: int) -> Say:
    theirs, ours = _status(pid), _status(os.getpid())
    if _may_trace(ours):
        return _refused_to_root(pid)
    uids = {int(uid) for uid in theirs["Uid"].split()[:3]}
    if uids != {os.geteuid()}:
        return Say("process {pid} belongs to another user (uid {uid})", pid=pid, uid=int(theirs["Uid"].split()[0]))
    if os.geteuid() == 0:
        return Say("this root lacks CAP_SYS_PTRACE, so it may not read the memory of process {pid}", pid=pid)
    if os.stat(f"/proc/{pid}/mem").st_uid != os.geteuid():  # proc(5): root owns the files of what is not dumpable
        return Say("process {pid} forbids to be read (PR_SET_DUMPABLE is 0)", pid=pid)
    if yama():
        return Say("the kernel lets only a parent read process {pid} (ptrace_scope is {scope})", pid=pid, scope=yama())
    return Say("process {pid} has rights that this user lacks, or a security module protects it", pid=pid)


def _refused_to_root(pid: int) -> Say:
    if yama() == 3:
        return Say("the kernel forbids to read any process until the next boot (ptrace_scope is {scope})", scope=3)
    return Say(
        "a security module or a user namespace protects process {pid}, CAP_SYS_PTRACE is not enough ({lack})",
        pid=pid,
        lack=Word("EACCES"),
    )


def _hint(pid: int) -> Say:
    if os.geteuid() == 0:
        return Say("in a container start it with: docker run --cap-add SYS_PTRACE --pid=container:NAME")
    return sudo(pid)


def sudo(pid: int) -> Say:
    """The command to run again as root. By the whole path, for sudo searches another PATH; the shell fills it in."""
    if shutil.which("qqdiag") is None:
        return Say("run it as root, by the whole path that you started it with: sudo PATH inspect {pid}", pid=pid)
    if yama() == 1:
        return Say(
            'sudo "$(command -v qqdiag)" inspect {pid}, or until the next boot: sudo sysctl kernel.yama.ptrace_scope=0',
            pid=pid,
        )
    return Say('sudo "$(command -v qqdiag)" inspect {pid}', pid=pid)


def yama() -> int:
    """kernel.yama.ptrace_scope; 0 where there is no yama."""
    try:
        return int(proc.read(YAMA))
    except (OSError, ValueError):
        return 0


def _status(pid: int) -> dict[str, str]:
    return proc.status_fields(proc.read(f"/proc/{pid}/status"))


def _may_trace(status: dict[str, str]) -> bool:
    return bool(int(status["CapEff"], 16) & CAP_SYS_PTRACE)
