"""What qqdiag may do on this machine, found out by doing it to a process that is made for it, and what each lack costs.

The process is an orphan of the same user: the kernel lets a parent read its own children where it forbids others.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from qqdiag import access, as_root
from qqdiag.collect import cgroup, proc, sockdiag, threads
from qqdiag.errors import QqdiagError
from qqdiag.memory.live import PAGE, read_regions
from qqdiag.memory.pause import NotPaused, Tracer
from qqdiag.model import Millis, Say, Word

WITHIN = 5.0  # seconds for the orphan to start, and for a copy of it
SUDO_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # secure_path as Debian's sudoers(5) has it

# Prints the pid of an orphan and ends; the orphan lives as long as its stdin.
ORPHAN = """
import os, sys
if pid := os.fork():
    print(pid, flush=True)
    os._exit(0)
os.close(1)
sys.stdin.read()
"""


class Check(NamedTuple):
    """One thing that was tried: whether it works, what was found, and where it does not, the price and a way out."""

    what: Word
    works: bool
    found: Say
    costs: Say | None = None
    hint: Say | None = None


def checks() -> list[Check]:
    """Everything, in the order of its weight."""
    with orphan() as pid:
        of_process = [check(pid) for check in (_memory, _pause, _kernel)]
    others = (_other_users, _sockets, _witness, _sudo, _container, _machine, _cores)
    return [*of_process, *(check() for check in others)]


@contextmanager
def orphan() -> Iterator[int]:
    """A process of this user that is no child of this one. Ends with the context."""
    read, write = os.pipe()
    try:
        command = [sys.executable, "-I", "-S", "-c", ORPHAN]
        done = subprocess.run(command, stdin=read, stdout=subprocess.PIPE, timeout=WITHIN, check=True)
        yield int(done.stdout)
    finally:
        os.close(read)
        os.close(write)


def _memory(pid: int) -> Check:
    what = Word("memory")
    try:
        access.check(pid)
    except QqdiagError as error:
        costs = Say("no tasks, no await chains: only what the kernel shows of a process")
        return Check(what, False, error.message, costs, error.hint)
    return Check(what, True, Say("processes of this user can be read"))


def _pause(pid: int) -> Check:
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


def _kernel(pid: int) -> Check:
    what = Word("kernel")
    costs = Say("whether a loop waits in its selector or in another call is told by its stack alone")
    try:
        proc.read(f"/proc/{pid}/syscall")
        proc.read(f"/proc/{pid}/wchan")
    except OSError as problem:
        found = Say("the system call of a thread is hidden ({error})", error=_errno(problem))
        return Check(what, False, found, costs, as_root.inspect(pid))
    return Check(what, True, Say("the system calls of threads can be seen"))


def _other_users() -> Check:
    what = Word("other users")
    capabilities = int(proc.status_fields(proc.read("/proc/self/status"))["CapEff"], 16)
    if capabilities & access.CAP_SYS_PTRACE:
        return Check(what, True, Say("this user has CAP_SYS_PTRACE"))
    found = Say("this user has no CAP_SYS_PTRACE")
    costs = Say("gateways of other users, such as most system services, cannot be read")
    return Check(what, False, found, costs, Say("run it with sudo"))


def _sockets() -> Check:
    what, costs = Word("sockets"), Say("queues and states come from /proc/net, without the times of the last bytes")
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, sockdiag.NETLINK_SOCK_DIAG) as netlink:
            sockdiag.dump(netlink, socket.AF_INET, socket.IPPROTO_TCP, ())
    except OSError as problem:
        found = Say("the kernel does not tell of sockets over netlink ({error})", error=_errno(problem))
        return Check(what, False, found, costs, Say("sudo modprobe tcp_diag"))
    return Check(what, True, Say("the kernel tells of TCP connections and their times"))


def _witness() -> Check:
    what = Word("second witness")
    program = threads.find()
    if program is None:
        costs = Say("nothing but qqdiag's own reading says what the threads do")
        return Check(what, False, Say("there is no py-spy"), costs, Say("pip install py-spy"))
    return Check(what, True, Say("py-spy is there ({version})", version=Word(threads.version(program))))


def _sudo() -> Check:
    what = Word("sudo")
    if os.geteuid() == 0:
        return Check(what, True, Say("not needed: this is root"))
    if shutil.which("sudo") is None:
        return Check(what, False, Say("there is no sudo"), Say("gateways of other users: only as root"), Say("su -"))
    if shutil.which("qqdiag", path=SUDO_PATH) is None:
        found = Say("sudo does not search the folder that qqdiag is in")
        return Check(what, False, found, Say("`sudo qqdiag` is not found"), Say('sudo "$(command -v qqdiag)" ps'))
    return Check(what, True, Say("sudo finds qqdiag"))


def _container() -> Check:
    what = Word("container")
    if cgroup.container(proc.text(proc.read("/proc/self/cgroup"))) is None:
        return Check(what, True, Say("not in a container, as far as its control group says"))
    costs = Say("only the processes of this container can be seen")
    return Check(what, False, Say("this is a container"), costs, Say("run it on the host, which sees all of them"))


def _machine() -> Check:
    what, machine = Word("machine"), Word(platform.machine())
    if machine.reveal() == "x86_64":
        return Check(what, True, Say("Linux on {machine}", machine=machine))
    costs = Say("no release was tried on it: what cannot be read is said, but watch for what cannot be true")
    return Check(what, False, Say("Linux on {machine}", machine=machine), costs, Say("tell how it went"))


def _cores() -> Check:
    what = Word("core files")
    lacking = [name for name in ("zstandard", "lz4") if importlib.util.find_spec(name) is None]
    if lacking:
        costs = Say("core files that systemd-coredump has packed cannot be opened")
        return Check(what, False, Say("a library to unpack them lacks"), costs, Say("pip install 'qqdiag[cores]'"))
    return Check(what, True, Say("packed core files can be opened"))


def _errno(problem: OSError) -> Word:
    return Word(errno.errorcode.get(problem.errno or 0, "unknown"))
