"""Files of a target below its own root, opened so that nothing in them can lead out or make us wait.

A symbolic link with an absolute target inside /proc/PID/root would be resolved against our root, a FIFO would wait for
its writer, and opening a device can act on it. So links are resolved here, step by step against the given root (what
openat2's RESOLVE_IN_ROOT does, which Python does not offer), and only a regular file is opened, after it was looked at.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from itertools import islice

LINKS_MAX = 40  # as the kernel's own limit (path_resolution(7))
PARTS_MAX = 256
NAMES_MAX = 10_000  # of one folder


def root_of(pid: int) -> str:
    """The folder that the target sees as `/`."""
    return f"/proc/{pid}/root" if sys.platform == "linux" else "/"


def read(root: str, path: str, limit: int) -> bytes:
    """The first `limit` bytes of a regular file. OSError as the kernel gives it, EINVAL for what is not a file."""
    fd = open_file(root, path)
    try:
        return read_at(fd, 0, limit)
    finally:
        os.close(fd)


def read_at(fd: int, offset: int, size: int) -> bytes:
    """Up to `size` bytes at `offset`; less only at the end of the file."""
    parts = []
    while size > 0 and (part := os.pread(fd, size, offset)):
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)


def exists(root: str, path: str) -> bool:
    """Whether `path`, links followed, is a regular file that may be read."""
    try:
        os.close(open_file(root, path))
    except OSError:
        return False
    return True


def link(root: str, path: str) -> str | None:
    """Where the symbolic link at `path` leads, as written; None where there is no link."""
    folder, _, name = path.rpartition("/")
    try:
        if not hasattr(os, "O_PATH"):
            return os.readlink(os.path.join(root, path.lstrip("/")))
        parent = _resolve(root, folder)
    except OSError:
        return None
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None
    finally:
        os.close(parent)


def open_file(root: str, path: str) -> int:
    """A descriptor for reading the regular file at `path` below `root`."""
    if not hasattr(os, "O_PATH"):
        return _open_plain(root, path)
    found = _resolve(root, path)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(found)


def names(root: str, folder: str, limit: int = NAMES_MAX) -> list[str]:
    """The names in `folder` below `root`, in order, of those that its file system gives first. OSError as of a read."""
    if not hasattr(os, "O_PATH"):
        return sorted(os.listdir(os.path.join(root, folder.lstrip("/")))[:limit])
    found = _resolve(root, folder)
    try:
        with os.scandir(f"/proc/self/fd/{found}") as entries:
            return sorted(entry.name for entry in islice(entries, limit))
    finally:
        os.close(found)


def _open_plain(root: str, path: str) -> int:
    """Where O_PATH is not known (macOS) there is one root for all; a device is not opened either."""
    full = os.path.join(root, path.lstrip("/"))
    if not stat.S_ISREG(os.stat(full).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _resolve(root: str, path: str) -> int:
    """An O_PATH descriptor of what `path` names below `root`, every link followed within it."""
    stack = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    todo = _parts(path)
    links = 0
    try:
        while todo:
            part = todo.pop()
            if part == "..":
                if len(stack) > 1:
                    os.close(stack.pop())
                continue
            fd = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=stack[-1])
            stack.append(fd)
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                target = os.readlink("", dir_fd=stack.pop())
                os.close(fd)
                links += 1
                if links > LINKS_MAX or len(todo) > PARTS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if target.startswith("/"):
                    while len(stack) > 1:
                        os.close(stack.pop())
                todo += _parts(target)
        return stack.pop()
    finally:
        for fd in stack:
            os.close(fd)


def _parts(path: str) -> list[str]:
    """Its parts, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
