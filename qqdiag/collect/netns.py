"""A socket in the target's network namespace."""

from __future__ import annotations

import os
import socket
import threading

from qqdiag.collect import proc

CLONE_NEWNET = 0x40000000  # linux/sched.h


def socket_in(pid: int, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that sees the target's network, whichever thread uses it later: it stays where it was made.

    PermissionError where the namespace is another and may not be entered (setns(2): CAP_SYS_ADMIN).
    """
    if proc.same_namespace(pid, "net"):
        return socket.socket(family, kind, protocol)
    made: list[socket.socket | OSError] = []

    def enter_and_make() -> None:
        try:
            enter(pid)
            made.append(socket.socket(family, kind, protocol))
        except OSError as error:
            made.append(error)

    # setns() moves the calling thread alone. This one enters, and ends.
    thread = threading.Thread(target=enter_and_make, name="netns", daemon=True)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def enter(pid: int) -> None:
    """Move this thread into the target's network namespace. `os.setns` came with Python 3.12."""
    import ctypes  # 3 ms, and hardly any target has a namespace of its own

    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(fd, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(fd)
