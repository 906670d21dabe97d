"""What the kernel lets this user do to a process: read it, pause it, see its calls, its sockets, those of others."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time

from qqdiag import access, as_root
from qqdiag.collect import netns, proc, sockdiag
from qqdiag.doctor import place
from qqdiag.doctor.check import WITHIN, Check
from qqdiag.errors import QqdiagError
from qqdiag.memory.live import PAGE, read_regions
from qqdiag.memory.pause import NotPaused, Tracer
from qqdiag.model import Millis, Say, Word


def memory(pid: int) -> Check:
    what = Word("memory")
    try:
        access.check(pid)
    except QqdiagError as error:
        costs = Say("no tasks, no await chains: only what the kernel shows of a process")
        return Check(what, False, error.message, costs, error.hint)
    return Check(what, True, Say("processes of this user can be read"))


def pause(pid: int) -> Check:
    what = Word("pause")
    stack = next((region for region in read_regions(pid) if region.path == "[stack]"), None)
    ranges = [(stack.end - PAGE, PAGE)] if stack else []
    try:
        with Tracer(pid) as tracer:
            copy = tracer.copy(ranges, time.monotonic() + WITHIN)
    except NotPaused as problem:
        found = Say("the kernel does not let a process be paused ({error})", error=Word(str(problem)))
        costs = Say("a busy gateway is read twice without a pause, and what differs is left out")
        return Check(what, False, found, costs, Say("in a container start it with: docker run --cap-add SYS_PTRACE"))
    return Check(what, True, Say("a process was paused for {time}", time=Millis(copy.pause * 1e3)))


def kernel(pid: int) -> Check:
    what = Word("kernel")
    costs = Say("whether a loop waits in its selector or in another call is told by its stack alone")
    try:
        proc.read(f"/proc/{pid}/syscall")
        proc.read(f"/proc/{pid}/wchan")
    except OSError as problem:
        found = Say("the system call of a thread is hidden ({error})", error=_errno(problem))
        return Check(what, False, found, costs, as_root.inspect(pid))
    return Check(what, True, Say("the system calls of threads can be seen"))


def other_users() -> Check:
    what, costs = Word("other users"), Say("gateways of other users, such as most system services, cannot be read")
    if not _has(access.CAP_SYS_PTRACE):
        hint = Say("run it with sudo") if os.geteuid() else Say("in a container: docker run --cap-add SYS_PTRACE")
        return Check(what, False, Say("this user has no CAP_SYS_PTRACE"), costs, hint)
    if not place.is_of_the_machine():
        found = Say("CAP_SYS_PTRACE is of a user namespace here, and reaches no process outside of it")
        return Check(what, False, found, costs, Say("run it outside of the namespace, with sudo"))
    return Check(what, True, Say("this user has CAP_SYS_PTRACE"))


def sockets() -> Check:
    what, costs = Word("sockets"), Say("queues and states come from /proc/net, without the times of the last bytes")
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, sockdiag.NETLINK_SOCK_DIAG) as netlink:
            sockdiag.dump(netlink, socket.AF_INET, socket.IPPROTO_TCP, ())
    except OSError as problem:
        found = Say("the kernel does not tell of sockets over netlink ({error})", error=_errno(problem))
        return Check(what, False, found, costs, Say("sudo modprobe tcp_diag"))
    return Check(what, True, Say("the kernel tells of TCP connections and their times"))


def yama() -> Check:
    """kernel.yama.ptrace_scope (Documentation/admin-guide/LSM/Yama.rst)."""
    what, scope = Word("ptrace_scope"), as_root.yama()
    if not os.path.isdir("/proc/sys/kernel"):
        costs = Say("whether the kernel lets processes be read shows only when one is")
        return Check(what, False, Say("/proc/sys is hidden"), costs, Say("in a container: docker run --privileged"))
    if not os.path.exists(as_root.YAMA):
        return Check(what, True, Say("this kernel has no Yama, which would forbid it"))
    if scope == 0 or (scope < 3 and _has(access.CAP_SYS_PTRACE)):
        return Check(what, True, Say("kernel.yama.ptrace_scope is {scope}: it forbids this user nothing", scope=scope))
    found = Say("kernel.yama.ptrace_scope is {scope}", scope=scope)
    if scope < 3:
        costs = Say("processes that are not children of this one can be read with CAP_SYS_PTRACE alone")
        return Check(what, False, found, costs, Say("until the next boot: sudo sysctl kernel.yama.ptrace_scope=0"))
    return Check(what, False, found, Say("no process can be read, by nobody"), Say("set it to 1, then boot"))


def containers() -> Check:
    """Tried on the own network namespace, for which the kernel asks for the same right (setns(2))."""
    what, problems = Word("containers"), list[OSError]()

    def enter() -> None:
        try:
            netns.enter(os.getpid())
        except OSError as error:
            problems.append(error)

    thread = threading.Thread(target=enter)  # setns() moves the calling thread alone
    thread.start()
    thread.join()
    if problems:
        found = Say("a network namespace may not be entered ({error})", error=_errno(problems[0]))
        costs = Say("of a gateway in a container: its sockets without the times of the last bytes, and no aiomonitor")
        return Check(what, False, found, costs, Say("run it with sudo; in a container add --cap-add SYS_ADMIN"))
    return Check(what, True, Say("the network of a container can be entered"))


def _has(capability: int) -> bool:
    return bool(int(proc.status_fields(proc.read("/proc/self/status"))["CapEff"], 16) & capability)


def _errno(problem: OSError) -> Word:
    return Word(errno.errorcode.get(problem.errno or 0, "unknown"))


OTHERS = (yama, other_users, sockets, containers)
