"""Which descriptors the target's own epolls watch, by /proc/PID/fdinfo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from qqdiag.collect import proc


class Watch(NamedTuple):
    epoll_fd: int
    events: int  # EPOLLIN 0x1, EPOLLOUT 0x4, EPOLLERR 0x8, EPOLLHUP 0x10 (sys/epoll.h)


class Watches(NamedTuple):
    """By inode where the kernel tells it (4.13 and later): a number may have been closed and given anew since."""

    by_inode: dict[int, Watch]
    by_fd: dict[int, Watch]

    def of(self, fd: int, inode: int) -> Watch | None:
        return self.by_inode.get(inode) or self.by_fd.get(fd)


def watches(pid: int, epoll_fds: Iterable[int]) -> Watches:
    """What these epolls watch. An epoll that was closed meanwhile watches nothing."""
    found = Watches({}, {})
    for epoll_fd in epoll_fds:
        try:
            data = proc.read(f"/proc/{pid}/fdinfo/{epoll_fd}")
        except OSError:
            continue
        for line in proc.text(data).splitlines():
            if line.startswith("tfd:"):
                _add(found, epoll_fd, line)
    return found


def _add(found: Watches, epoll_fd: int, line: str) -> None:
    """`tfd: 7 events: 19 data: 7 pos:0 ino:2ab4 sdev:8`, numbers hexadecimal but the first (fs/eventpoll.c)."""
    words = line.replace(":", " ").split()
    fields = dict(zip(words[::2], words[1::2], strict=False))
    watch = Watch(epoll_fd, int(fields["events"], 16))
    if "ino" in fields:
        found.by_inode[int(fields["ino"], 16)] = watch
    else:
        found.by_fd[int(fields["tfd"])] = watch
