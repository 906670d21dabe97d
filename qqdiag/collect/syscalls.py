"""System calls by number, for the architectures that are tested: the calls that a gateway's thread waits in.

Sources: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h (Linux 6.6). The numbers are ABI and
never change. What is not listed is shown as `syscall-N`.
"""

from __future__ import annotations

X86_64 = {
    0: "read", 1: "write", 3: "close", 5: "fstat", 7: "poll", 8: "lseek", 9: "mmap", 11: "munmap", 16: "ioctl",
    17: "pread64", 18: "pwrite64", 19: "readv", 20: "writev", 23: "select", 24: "sched_yield", 26: "msync",
    28: "madvise", 34: "pause", 35: "nanosleep", 40: "sendfile", 42: "connect", 43: "accept", 44: "sendto",
    45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 61: "wait4", 72: "fcntl", 73: "flock", 74: "fsync",
    75: "fdatasync", 77: "ftruncate", 82: "rename", 87: "unlink", 130: "rt_sigsuspend", 128: "rt_sigtimedwait",
    162: "sync", 202: "futex", 217: "getdents64", 219: "restart_syscall", 230: "clock_nanosleep", 232: "epoll_wait",
    247: "waitid", 257: "openat", 262: "newfstatat", 263: "unlinkat", 264: "renameat", 270: "pselect6", 271: "ppoll",
    277: "sync_file_range", 281: "epoll_pwait", 288: "accept4", 295: "preadv", 296: "pwritev", 299: "recvmmsg",
    306: "syncfs", 307: "sendmmsg", 316: "renameat2", 318: "getrandom", 332: "statx", 426: "io_uring_enter",
    437: "openat2", 441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
}  # fmt: skip

AARCH64 = {
    22: "epoll_pwait", 25: "fcntl", 29: "ioctl", 32: "flock", 35: "unlinkat", 38: "renameat", 46: "ftruncate",
    56: "openat", 57: "close", 61: "getdents64", 62: "lseek", 63: "read", 64: "write", 65: "readv", 66: "writev",
    67: "pread64", 68: "pwrite64", 69: "preadv", 70: "pwritev", 71: "sendfile", 72: "pselect6", 73: "ppoll",
    79: "newfstatat", 80: "fstat", 81: "sync", 82: "fsync", 83: "fdatasync", 84: "sync_file_range", 95: "waitid",
    98: "futex", 101: "nanosleep", 115: "clock_nanosleep", 124: "sched_yield", 128: "restart_syscall",
    133: "rt_sigsuspend", 137: "rt_sigtimedwait", 202: "accept", 203: "connect", 206: "sendto", 207: "recvfrom",
    211: "sendmsg", 212: "recvmsg", 215: "munmap", 222: "mmap", 227: "msync", 233: "madvise", 242: "accept4",
    243: "recvmmsg", 260: "wait4", 267: "syncfs", 269: "sendmmsg", 276: "renameat2", 278: "getrandom", 291: "statx",
    426: "io_uring_enter", 437: "openat2", 441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
}  # fmt: skip

BY_MACHINE = {"x86_64": X86_64, "aarch64": AARCH64}
ELF_CLASS_64 = 2  # e_ident[EI_CLASS]


def table(machine: str, executable: bytes) -> dict[int, str]:
    """The names for a process on this machine (`os.uname().machine`).

    `executable` holds the first bytes of its program: a 32-bit one has numbers of its own, so none are named.
    """
    if executable[4:5] not in (b"", bytes([ELF_CLASS_64])):
        return {}
    return BY_MACHINE.get(machine, {})


def parse(line: str, names: dict[int, str]) -> tuple[str, list[int]]:
    """(name, raw arguments) of /proc/PID/task/TID/syscall.

    `running`: it is on a processor. `none` (the kernel's -1): it sleeps outside of a system call, as in a page fault.
    Arguments are unsigned registers: an int argument of -1 (epoll_wait's "for ever") has its low 32 bits set.
    """
    words = line.split()
    if not words or words[0] == "running":
        return "running", []
    number = int(words[0])
    if number < 0:
        return "none", []
    return names.get(number, f"syscall-{number}"), [int(word, 16) for word in words[1:7]]
