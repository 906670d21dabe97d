"""The target where there is no /proc (macOS): what psutil can say of it."""

from __future__ import annotations

import time

import psutil

from qqdiag.collect import proc
from qqdiag.errors import TargetGone
from qqdiag.model import Path, Say, Secret, TaskName, User, Word
from qqdiag.snapshot import OsThread, Process

# psutil's words (psutil._common) as the letters of proc(5)
STATES = {
    "running": "R", "sleeping": "S", "idle": "S", "waiting": "S", "disk-sleep": "D", "stopped": "T",
    "tracing-stop": "t", "zombie": "Z", "dead": "X", "parked": "S", "locked": "D",
}  # fmt: skip


def collect(pid: int) -> Process:
    """As `process.collect`; start_ticks are hundredths of a second since 1970, as hermes writes them there."""
    try:
        return _read(psutil.Process(pid))
    except psutil.ZombieProcess:
        raise TargetGone(Say("process {pid} is a zombie", pid=pid), Say("ps -o ppid= -p {pid}", pid=pid)) from None
    except psutil.NoSuchProcess:
        raise proc.no_such_process(pid) from None
    except psutil.AccessDenied:
        raise proc.not_permitted(pid) from None


def _read(process: psutil.Process) -> Process:
    with process.oneshot():
        cpu = process.cpu_times()
        state = Word(STATES.get(process.status(), "S"))
        return Process(
            pid=process.pid,
            namespace_pid=process.pid,
            start_ticks=int(process.create_time() * 100),
            state=state,
            uptime=max(0.0, time.time() - process.create_time()),
            user_seconds=cpu.user,
            system_seconds=cpu.system,
            rss=process.memory_info().rss,
            fds=process.num_fds(),
            fd_limit=None,
            uid=process.uids().effective,
            user=User(process.username()),
            tracer=0,
            executable=Path(process.exe()),
            argv=[Secret(argument) for argument in process.cmdline()],
            unit=None,
            container=None,
            namespaces_differ=[],
            threads=[_thread(thread.id, thread.user_time, thread.system_time, state) for thread in process.threads()],
        )


def _thread(tid: int, user: float, system: float, state: Word) -> OsThread:
    """psutil knows a thread's times only; its state is taken to be the process's."""
    return OsThread(
        tid=tid,
        name=TaskName(""),
        state=state,
        wchan=None,
        syscall=None,
        user_seconds=user,
        system_seconds=system,
        voluntary_switches=0,
        involuntary_switches=0,
    )
