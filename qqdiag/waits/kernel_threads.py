"""Threads as the kernel alone knows them, sample against sample: what can be said where no memory may be read.

The first thread of a process is the one whose id is the process's own: asyncio.run() is called there, unless the
program does otherwise, which from outside nobody can know.
"""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.model import Word
from qqdiag.snapshot import OsThread, Process, Sample
from qqdiag.waits import View

# Where an event loop waits: selectors call these (cpython Modules/selectmodule.c), uvloop epoll_pwait (libuv).
SELECTOR_CALLS = frozenset({"epoll_wait", "epoll_pwait", "epoll_pwait2", "select", "pselect6", "poll", "ppoll"})
# Kernel functions in which a selector sleeps (fs/eventpoll.c, fs/select.c), by the names of several kernels.
SELECTOR_WCHANS = frozenset(
    {"ep_poll", "do_epoll_wait", "do_poll", "do_sys_poll", "do_select", "poll_schedule_timeout"}
)


@dataclass(frozen=True, slots=True)
class Between:
    """One thread in both samples."""

    now: OsThread
    before: OsThread
    seconds: float
    first: bool  # it is the process's first

    @property
    def cpu(self) -> float:
        """Percent of a core."""
        used = self.now.user_seconds + self.now.system_seconds
        used -= self.before.user_seconds + self.before.system_seconds
        return 100.0 * used / self.seconds if self.seconds > 0 else 0.0

    @property
    def rests(self) -> int:
        """How often it gave up the CPU by itself."""
        return self.now.voluntary_switches - self.before.voluntary_switches

    @property
    def switches(self) -> int:
        """How often it was given the CPU and gave it up, by itself or not."""
        return self.rests + self.now.involuntary_switches - self.before.involuntary_switches

    @property
    def same_call(self) -> bool:
        """Whether it sleeps in the same call with the same arguments, or what it sleeps in is hidden in both."""
        ours = (self.now.syscall, self.now.wchan, self.now.syscall_args)
        return ours == (self.before.syscall, self.before.wchan, self.before.syscall_args)


def between(view: View) -> list[Between]:
    """Every thread that is in both samples; none with one sample, or where a process could not be read."""
    threads, earlier = of(view.last), {thread.tid: thread for thread in of(view.earlier)}
    seconds = view.last.taken_at - view.earlier.taken_at if view.earlier else 0.0
    pid = view.snapshot.pid
    return [Between(one, earlier[one.tid], seconds, one.tid == pid) for one in threads if one.tid in earlier]


def of(sample: Sample | None) -> list[OsThread]:
    """The threads of a sample."""
    return sample.process.threads if sample is not None and isinstance(sample.process, Process) else []


def selects(thread: OsThread) -> bool:
    """Whether it waits in a selector, as a loop does that turns."""
    call = thread.syscall.reveal() if thread.syscall else ""
    wchan = thread.wchan.reveal() if thread.wchan else ""
    return call in SELECTOR_CALLS or wchan in SELECTOR_WCHANS


def is_python(process: Process) -> bool:
    """Whether it was started as an interpreter, by its command line or by the file that it runs."""
    names = [process.executable.reveal()] if process.executable else []
    names += [process.argv[0].reveal()] if process.argv else []
    return any("python" in name.rpartition("/")[2] for name in names)


def word(value: Word | None) -> Word:
    """A word of the kernel, or a question mark where it is hidden."""
    return value or Word("?")
