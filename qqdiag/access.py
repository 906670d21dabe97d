"""Whether this user may read a target's memory, and if not, which rule of the kernel forbids it and what to type.

kernel/ptrace.c `__ptrace_may_access`: same user ids or CAP_SYS_PTRACE, then dumpable, then the security modules (yama).
"""

from __future__ import annotations

import os

from qqdiag import as_root
from qqdiag.collect import proc
from qqdiag.errors import NotPermitted
from qqdiag.memory.image import Image
from qqdiag.model import Say

CAP_SYS_PTRACE = 1 << 19  # linux/capability.h


def check(pid: int) -> None:
    """Raises NotPermitted when the memory of a living process may not be read."""
    image(pid)


def image(pid: int) -> Image:
    """The program that the process runs now. Raises NotPermitted, and TargetGone where it has ended."""
    try:
        return Image(pid)
    except PermissionError:
        raise NotPermitted(_reason(pid), as_root.inspect(pid)) from None
    except OSError:
        raise proc.gone(pid) from None


def _reason(pid: int) -> Say:
    theirs, ours = _status(str(pid)), _status("self")
    if _may_trace(ours):
        return _refused_to_root(pid)
    uids = {int(uid) for uid in theirs["Uid"].split()[:3]}
    if uids != {os.geteuid()}:
        return Say("process {pid} belongs to another user (uid {uid})", pid=pid, uid=int(theirs["Uid"].split()[0]))
    if os.geteuid() == 0:
        return Say("this root lacks CAP_SYS_PTRACE, so it may not read the memory of process {pid}", pid=pid)
    if os.stat(f"/proc/{pid}/mem").st_uid != os.geteuid():  # proc(5): root owns the files of what is not dumpable
        return Say("process {pid} forbids to be read (PR_SET_DUMPABLE is 0)", pid=pid)
    if as_root.yama():
        return Say(
            "the kernel lets only a parent read process {pid} (ptrace_scope is {scope})", pid=pid, scope=as_root.yama()
        )
    return Say("process {pid} has rights that this user lacks, or a security module protects it", pid=pid)


def _refused_to_root(pid: int) -> Say:
    if as_root.yama() == 3:
        return Say("the kernel forbids to read any process until the next boot (ptrace_scope is {scope})", scope=3)
    if _in_user_namespace():
        return Say("root is root in a user namespace alone here, and process {pid} is outside of it", pid=pid)
    return Say("a security module protects process {pid}, CAP_SYS_PTRACE is not enough", pid=pid)


def _in_user_namespace() -> bool:
    """Whether our user ids are those of a user namespace (user_namespaces(7)), as in a rootless container."""
    return proc.text(proc.read("/proc/self/uid_map")).split() != ["0", "0", "4294967295"]


def _status(pid: str) -> dict[str, str]:
    return proc.status_fields(proc.read(f"/proc/{pid}/status"))


def _may_trace(status: dict[str, str]) -> bool:
    return bool(int(status["CapEff"], 16) & CAP_SYS_PTRACE)
