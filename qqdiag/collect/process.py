"""The target as the kernel knows it: /proc/PID, read before anything pauses it.

A value that this user may not see is None. No such process, a zombie and a pid that became another process are errors.
"""

from __future__ import annotations

import os
import sys
import time

from qqdiag.collect import accounts, cgroup, clocks, filelocks, mounts, proc, resources, syscalls
from qqdiag.errors import TargetGone
from qqdiag.model import Path, Say, Secret, TaskName, User, Word
from qqdiag.snapshot import OsThread, Process

THREADS_MAX = 4096
ARGUMENTS_MAX = 256
ARGUMENT_BYTES_MAX = 4096
KIB = 1024
FD_OF_32_BITS = 1 << 31  # AT_FDCWD and its like lie above it


def collect(pid: int) -> Process:
    """The process and its threads. NoSuchTarget, or TargetGone when it is a zombie or goes while it is read."""
    if sys.platform != "linux":
        from qqdiag.collect import process_elsewhere

        return process_elsewhere.collect(pid)
    ticks = proc.start_ticks(pid)
    try:
        process = _read(pid)
    except (FileNotFoundError, ProcessLookupError):
        raise proc.gone(pid) from None
    if process.start_ticks != ticks:
        raise proc.gone(pid)
    if process.threads and all(thread.state.reveal() in "ZX" for thread in process.threads):
        raise _zombie(pid)
    return process


def _read(pid: int) -> Process:
    threads = _threads(pid)  # first: every file read here gives them time to move on
    folder = f"/proc/{pid}"
    _, stat = proc.stat_fields(proc.read(f"{folder}/stat"))
    status = proc.status_fields(proc.read(f"{folder}/status"))
    ticks_a_second = os.sysconf("SC_CLK_TCK")
    uid = int(status["Uid"].split()[1])  # real, effective, saved, file system
    account = accounts.by_uid(pid, uid)
    groups = proc.text(proc.read(f"{folder}/cgroup"))
    differing = _differing_namespaces(pid)
    limits = (resources.memory_limit(groups), _own_limit(pid, status))
    limit = min(filter(None, limits), key=lambda one: one.limit - one.used, default=None)
    return Process(
        pid=pid,
        namespace_pid=int(status.get("NSpid", str(pid)).split()[-1]),
        start_ticks=int(stat[19]),
        state=Word(stat[0][:1]),
        uptime=max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - int(stat[19]) / ticks_a_second),
        user_seconds=int(stat[11]) / ticks_a_second,
        system_seconds=int(stat[12]) / ticks_a_second,
        rss=_bytes(status, "VmRSS") or 0,
        fds=_fd_count(pid),
        fd_limit=_fd_limit(pid),
        uid=uid,
        user=User(account.name) if account else None,
        tracer=int(status.get("TracerPid", "0")),
        executable=_executable(pid),
        argv=_argv(pid),
        unit=cgroup.unit(groups),
        unit_manager=cgroup.manager(groups),
        container=cgroup.container(groups),
        namespaces_differ=differing,
        clock_ahead=clocks.ahead(pid),
        threads=threads,
        private=_private(status),
        swapped=_bytes(status, "VmSwap"),
        peak=_bytes(status, "VmHWM"),
        memory_limit=limit.limit if limit else None,
        memory_used=limit.used if limit else None,
        memory_limit_own=limit is not None and limit is limits[1],
        memory_available=resources.available(),
        major_faults=int(stat[9]),
        io_pressure=resources.io_pressure(groups),
        lock_holder=filelocks.holder(pid),
    )


def _own_limit(pid: int, status: dict[str, str]) -> resources.Limit | None:
    """RLIMIT_DATA, and what counts for it (setrlimit(2), Linux 4.7 and later)."""
    limit, used = _soft_limit(pid, "Max data size"), _bytes(status, "VmData")
    return None if limit is None or used is None else resources.Limit(limit, used)


def _bytes(status: dict[str, str], name: str) -> int | None:
    """Of a line of the status file in kB; None where this kernel has none."""
    words = status.get(name, "").split()
    return int(words[0]) * KIB if words else None


def _private(status: dict[str, str]) -> int | None:
    resident = _bytes(status, "RssAnon")  # since Linux 4.5
    return None if resident is None else resident + (_bytes(status, "VmSwap") or 0)


def _threads(pid: int) -> list[OsThread]:
    """Main thread first. One that ends meanwhile is left out."""
    names = syscalls.table(os.uname().machine, _elf_head(pid))
    found = []
    for tid in sorted(map(int, os.listdir(f"/proc/{pid}/task")))[:THREADS_MAX]:
        try:
            found.append(_thread(pid, tid, names))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sorted(found, key=lambda thread: thread.tid != pid)


def _thread(pid: int, tid: int, names: dict[int, str]) -> OsThread:
    folder = f"/proc/{pid}/task/{tid}"
    where = proc.read_if_shown(f"{folder}/syscall")
    wchan = proc.read_if_shown(f"{folder}/wchan")
    name, stat = proc.stat_fields(proc.read(f"{folder}/stat"))
    status = proc.status_fields(proc.read(f"{folder}/status"))
    ticks_a_second = os.sysconf("SC_CLK_TCK")
    syscall, arguments = (None, []) if where is None else syscalls.parse(proc.text(where), names)
    # To users without PTRACE_MODE_READ the kernel shows wchan as 0 (fs/proc/base.c, proc_pid_wchan): hidden, not awake.
    shown = None if wchan is None or (where is None and wchan == b"0") else Word(proc.text(wchan))
    return OsThread(
        tid=tid,
        name=TaskName(name),
        state=Word(stat[0][:1]),
        wchan=shown,
        syscall=None if syscall is None else Word(syscall),
        syscall_args=arguments,
        user_seconds=int(stat[11]) / ticks_a_second,
        system_seconds=int(stat[12]) / ticks_a_second,
        voluntary_switches=int(status.get("voluntary_ctxt_switches", "0")),
        involuntary_switches=int(status.get("nonvoluntary_ctxt_switches", "0")),
        namespace_tid=int(status.get("NSpid", str(tid)).split()[-1]),
        file_system=_file_system(pid, syscall, arguments),
    )


def _file_system(pid: int, syscall: str | None, arguments: list[int]) -> Word | None:
    """What the descriptor of its call is on."""
    if syscall not in mounts.OF_A_FILE or not arguments or arguments[0] & 0xFFFFFFFF >= FD_OF_32_BITS:
        return None
    found = mounts.file_system(pid, arguments[0] & 0xFFFFFFFF)
    return None if found is None else Word(found)


def _elf_head(pid: int) -> bytes:
    try:
        return proc.read(f"/proc/{pid}/exe", 16)
    except OSError:
        return b""  # hidden, or a kernel thread


def _executable(pid: int) -> Path | None:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


def _argv(pid: int) -> list[Secret]:
    data = proc.read_if_shown(f"/proc/{pid}/cmdline") or b""
    arguments = data.rstrip(b"\0").split(b"\0")[:ARGUMENTS_MAX] if data else []
    return [Secret(proc.text(argument[:ARGUMENT_BYTES_MAX])) for argument in arguments]


def _fd_count(pid: int) -> int | None:
    """Since Linux 6.2 the size of the folder is their number, which every user may ask for (fs/proc/fd.c)."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        return os.stat(f"/proc/{pid}/fd").st_size or None


def _fd_limit(pid: int) -> int | None:
    return _soft_limit(pid, "Max open files")


def _soft_limit(pid: int, name: str) -> int | None:
    """A soft limit; None when hidden or unlimited."""
    for line in proc.text(proc.read_if_shown(f"/proc/{pid}/limits") or b"").splitlines():
        if line.startswith(name):
            soft = line.split()[3]
            return int(soft) if soft.isdigit() else None
    return None


def _differing_namespaces(pid: int) -> list[Word] | None:
    same = {kind: proc.same_namespace(pid, kind) for kind in proc.NAMESPACES}
    if None in same.values():
        return None
    return [Word(kind) for kind, shared in same.items() if not shared]


def _zombie(pid: int) -> TargetGone:
    return TargetGone(
        Say("process {pid} is a zombie: it has exited and waits for its parent to take note", pid=pid),
        Say("see who its parent is with: ps -o ppid= -p {pid}", pid=pid),
    )
