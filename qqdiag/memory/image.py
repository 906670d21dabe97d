"""Whether a process still runs the program that it ran: an exec keeps its pid and its start time.

A descriptor of /proc/PID/mem stays bound to the address space that it was opened on, and gives end of file once that is
gone (fs/proc/base.c, `mem_rw`): after an exec and after the end alike.
"""

from __future__ import annotations

import os

NOWHERE = os.sysconf("SC_PAGE_SIZE")  # an address below vm.mmap_min_addr: EIO as long as there is an address space


class Image:
    """One program in one process. It is let go with the object."""

    def __init__(self, pid: int) -> None:
        """OSError as the kernel gives it."""
        self._fd = -1
        self._fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    @property
    def lives(self) -> bool:
        return is_alive(self._fd)


def is_alive(fd: int) -> bool:
    """Whether the address space of an open /proc/PID/mem is still in use."""
    try:
        return bool(os.pread(fd, 1, NOWHERE))
    except OSError:
        return True
