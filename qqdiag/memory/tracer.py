"""The program that stops a target, copies some of its memory and lets it go: a child of `freeze.py`.

It is a program of its own because killing it always releases the target (ptrace(2): the kernel detaches the tracees
of a tracer that ends, as long as PTRACE_O_EXITKILL is not set), and because a garbage collection or an import of the
large parent would lengthen the pause. It imports nothing of qqdiag and is run with `-I -S` to start within 15 ms.

    argv     PID FD     the target, and an inherited memfd that receives the copy
    stdin    for each freeze REQUEST, then for each range its address and size as two u64
    stdout   READY once; for each freeze REPLY, then the index of each range that could not be read as u64

It ends with its stdin, or by itself when a thread did not stop in time, which releases that thread too.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import signal
import struct
import sys
import time
from bisect import bisect_right
from contextlib import suppress
from itertools import accumulate

READY = b"R"
REQUEST = struct.Struct("<QQ")  # number of ranges; ns within which every thread must have stopped
REPLY = struct.Struct("<QQQQ")  # errno, ns from the first interrupt to the last release, threads, number of indexes

# linux/ptrace.h; the same on x86-64 and aarch64.
SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # linux/wait.h: also wait for threads that are not ours
IOV_MAX = 1024  # linux/uio.h UIO_MAXIOV


class Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


libc = ctypes.CDLL(None, use_errno=True)
if sys.platform == "linux":
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    libc.ptrace.restype = ctypes.c_long
    libc.process_vm_readv.argtypes = (ctypes.c_int, *(ctypes.c_void_p, ctypes.c_ulong) * 2, ctypes.c_ulong)
    libc.process_vm_readv.restype = ctypes.c_ssize_t


def ended(pid: int, tid: int) -> bool:
    """Whether a thread is gone or a zombie: such a one cannot be seized (EPERM), and runs no code."""
    try:
        with open(f"/proc/{pid}/task/{tid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return True


def seize(pid: int, held: dict[int, int]) -> list[int]:
    """Become the tracer of each thread that is not held yet, which does not stop it. Returns the new ones."""
    new = []
    for tid in map(int, os.listdir(f"/proc/{pid}/task")):
        if tid in held:
            continue
        if libc.ptrace(SEIZE, tid, None, None) == 0:
            held[tid] = 0
            new.append(tid)
        elif not ended(pid, tid):
            raise OSError(ctypes.get_errno(), "ptrace")
    return new


def wait_stopped(tid: int) -> int | None:
    """Wait until a thread stands still. Returns the signal to hand on at its release, or None when it ended."""
    try:
        _, status = os.waitpid(tid, WALL)
    except ChildProcessError:
        return None
    if not os.WIFSTOPPED(status):
        return None
    # An event in the high bits is our interrupt or a stop of the whole group; else a signal was about to be delivered.
    return 0 if status >> 16 else os.WSTOPSIG(status)


def stop(pid: int, new: list[int], held: dict[int, int]) -> None:
    """Stop all threads, also those that are born meanwhile."""
    while new:
        for tid in new:
            libc.ptrace(INTERRUPT, tid, None, None)
        for tid in new:
            waiting = wait_stopped(tid)
            if waiting is None:
                del held[tid]
            else:
                held[tid] = waiting
        new = seize(pid, held)


def copy(pid: int, buffer: int, starts: list[int], remote: ctypes.Array[Iovec]) -> list[int]:
    """Gather the ranges into the buffer; `starts` has one more entry than there are ranges. Returns what failed."""
    unread = []
    first = 0
    while first < len(remote):
        count = min(IOV_MAX, len(remote) - first)
        size = starts[first + count] - starts[first]
        local = Iovec(buffer + starts[first], size)
        source = ctypes.byref(remote, first * ctypes.sizeof(Iovec))
        got = libc.process_vm_readv(pid, ctypes.byref(local), 1, source, count, 0)
        if got == size:
            first += count
            continue
        if got < 0 and ctypes.get_errno() != 14:  # EFAULT: the first range is unmapped
            raise OSError(ctypes.get_errno(), "process_vm_readv")
        unread.append(bisect_right(starts, starts[first] + max(got, 0)) - 1)
        first = unread[-1] + 1
    return unread


def overdue(number: int, frame: object) -> None:
    raise TimeoutError(110, "a thread did not stop")  # ETIMEDOUT


def stand_aside(pid: int, processors: set[int]) -> None:
    """Keep off the processor on which the target last ran, so that it goes on at once when it is let go."""
    with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        occupied = int(file.read().rpartition(b")")[2].split()[36])
        os.sched_setaffinity(0, processors - {occupied} or processors)


def hurry(policy: int, priority: int) -> None:
    """Let nothing else take our processor during the pause, which made it up to 9 ms long; only root may do so."""
    with suppress(OSError):
        os.sched_setscheduler(0, policy, os.sched_param(priority))


def frozen_copy(pid: int, limit: int, ranges: list[int], buffer: mmap.mmap) -> tuple[int, int, int, list[int]]:
    """Stop, copy, release: what REPLY tells, and the ranges that could not be read."""
    remote = (Iovec * (len(ranges) // 2)).from_buffer(bytearray(struct.pack(f"<{len(ranges)}Q", *ranges)))
    starts = [0, *accumulate(ranges[1::2])]
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    held: dict[int, int] = {}
    error, unread, began = 0, [], time.monotonic_ns()
    try:
        copy(pid, address, starts, remote)  # brings it into the processor's cache, which halves the pause
        new = seize(pid, held)
        hurry(os.SCHED_FIFO, 1)
        signal.setitimer(signal.ITIMER_REAL, limit / 1e9)
        began = time.monotonic_ns()
        stop(pid, new, held)
        signal.setitimer(signal.ITIMER_REAL, 0)
        unread = copy(pid, address, starts, remote)
    except OSError as problem:
        signal.setitimer(signal.ITIMER_REAL, 0)
        error = problem.errno or 1
    for tid, waiting in held.items():
        libc.ptrace(DETACH, tid, None, waiting)
    pause = time.monotonic_ns() - began
    hurry(os.SCHED_OTHER, 0)
    return error, pause, len(held), unread


def mapped(output: int) -> mmap.mmap:
    """The memfd as it is now, populated, so that no page fault of ours falls into a pause."""
    return mmap.mmap(output, os.fstat(output).st_size, mmap.MAP_SHARED | mmap.MAP_POPULATE)


def read_exactly(size: int) -> bytes:
    """From stdin; ends the program with it."""
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            raise SystemExit(0)
        data += part
    return data


def main() -> None:
    pid, output = int(sys.argv[1]), int(sys.argv[2])
    gc.disable()
    signal.signal(signal.SIGALRM, overdue)
    processors = os.sched_getaffinity(0)
    buffer = mapped(output)
    os.write(1, READY)
    while True:
        count, limit = REQUEST.unpack(read_exactly(REQUEST.size))
        ranges = list(struct.unpack(f"<{2 * count}Q", read_exactly(16 * count)))
        stand_aside(pid, processors)
        if os.fstat(output).st_size > len(buffer):
            buffer = mapped(output)
        error, pause, threads, unread = frozen_copy(pid, limit, ranges, buffer)
        os.write(1, REPLY.pack(error, pause, threads, len(unread)) + struct.pack(f"<{len(unread)}Q", *unread))
        if error:
            return


if __name__ == "__main__":
    main()
