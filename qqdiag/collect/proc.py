"""/proc/PID by hand: bounded reads, fields by name, and its errors as ours.

Reading it ourselves costs 30 us a file; psutil would cost 20 ms to import and leaves out wchan, syscall and namespaces.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from qqdiag import as_root
from qqdiag.errors import NoSuchTarget, NotPermitted, NotReadable, TargetGone
from qqdiag.model import Say

FILE_LIMIT = 1 << 20  # bytes of one /proc file; the longest (an epoll's fdinfo) has 100 bytes a descriptor
NAMESPACES = ("pid", "net", "mnt", "user", "time")


def read(path: str, limit: int = FILE_LIMIT) -> bytes:
    """The first `limit` bytes of a /proc file. OSError as the kernel gives it."""
    with open(path, "rb", buffering=0) as file:
        parts = []
        while limit > 0 and (part := file.read(limit)):
            parts.append(part)
            limit -= len(part)
    return b"".join(parts)


def read_if_shown(path: str, limit: int = FILE_LIMIT) -> bytes | None:
    """As `read`; None where this user may not see it. Other OSErrors are raised."""
    try:
        return read(path, limit)
    except PermissionError:
        return None


def text(data: bytes) -> str:
    """Bytes of the target as text that every encoder takes: what is not UTF-8 becomes `\\xNN`."""
    return data.decode("utf-8", "backslashreplace")


def lines(data: bytes) -> list[str]:
    """The lines of a /proc file: in a name the kernel escapes newlines (fs/seq_file.c, mangle_path), and none of the
    other characters at which `splitlines` ends a line.
    """
    return text(data).removesuffix("\n").split("\n") if data else []


def stat_fields(data: bytes) -> tuple[str, list[str]]:
    """(name, fields from `state` on) of a stat file. The name may hold blanks and brackets: proc(5), field 2."""
    head, _, tail = data.rpartition(b")")
    return text(head.partition(b"(")[2]), text(tail).split()


def status_fields(data: bytes) -> dict[str, str]:
    """A status file as a dict."""
    pairs = (line.partition(":") for line in lines(data))
    return {key: value.strip() for key, _, value in pairs}


def start_ticks(pid: int) -> int:
    """Field 22 of /proc/PID/stat: with the pid, the identity of a process. NoSuchTarget where there is none.

    NotPermitted where it is there and /proc hides it from other users (mount option hidepid).
    """
    try:
        return int(stat_fields(read(f"/proc/{pid}/stat"))[1][19])
    except (FileNotFoundError, ProcessLookupError):
        raise (hidden(pid) if exists(pid) else no_such_process(pid)) from None


def check_mounted() -> None:
    """Raises NotReadable where there is no /proc, or one whose pids are not those that the kernel takes from us."""
    try:
        shown = int(os.readlink("/proc/self"))
    except (OSError, ValueError):
        raise NotReadable(
            Say("there is no /proc here, and without it no process is to be seen"),
            Say("mount it: sudo mount -t proc proc /proc"),
        ) from None
    if shown != os.getpid():
        raise NotReadable(
            Say("/proc is of another pid namespace: its pids are not the ones that count here"),
            Say("run qqdiag in that namespace (docker run --pid=host), or mount its own: mount -t proc proc /proc"),
        )


def exists(pid: int) -> bool:
    """Whether there is such a process, whoever's it is and whatever /proc shows of it."""
    try:
        os.getsid(pid)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # a security module's answer; that there is one is certain
    return True


def same_namespace(pid: int, kind: str) -> bool | None:
    """Whether the target shares our namespace of this kind; None where this user may not know."""
    try:
        theirs, ours = os.stat(f"/proc/{pid}/ns/{kind}"), os.stat(f"/proc/self/ns/{kind}")
    except PermissionError:
        return None
    except FileNotFoundError:
        return os.path.exists(f"/proc/{pid}/ns") or None  # a kernel without this kind has one of it for all
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def descriptors(pid: int, limit: int = 1 << 16) -> Iterator[tuple[int, str]]:
    """(fd, what it is) of each descriptor, as its link says: `socket:[123]`, `anon_inode:[eventpoll]`, a path."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        raise not_permitted(pid) from None
    except (FileNotFoundError, ProcessLookupError):
        raise gone(pid) from None
    for name in names[:limit]:
        try:
            yield int(name), os.readlink(f"/proc/{pid}/fd/{name}")
        except PermissionError:  # the owner may list them, but what they are takes more (fs/proc/base.c)
            raise not_permitted(pid) from None
        except OSError:
            continue  # closed since it was listed


def no_such_process(pid: int) -> NoSuchTarget:
    return NoSuchTarget(
        Say("there is no process {pid}", pid=pid), Say("qqdiag inspect, without a number, looks for a gateway")
    )


def gone(pid: int) -> TargetGone:
    return TargetGone(
        Say("process {pid} exited while it was read", pid=pid),
        Say("qqdiag inspect, without a number, looks for its successor"),
    )


def not_permitted(pid: int) -> NotPermitted:
    return NotPermitted(
        Say("process {pid} belongs to another user or hides itself", pid=pid),
        as_root.inspect(pid),
    )


def hidden(pid: int) -> NotPermitted:
    return NotPermitted(
        Say("process {pid} is there, but /proc hides it from other users (mount option hidepid)", pid=pid),
        as_root.inspect(pid),
    )
