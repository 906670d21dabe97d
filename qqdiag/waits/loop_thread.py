"""What the thread of an event loop does: waits in its selector, spins, or stands in a synchronous call.

The kernel's view (state, system call, CPU, context switches) and the interpreter's (innermost frame, timers that
passed unserved) are put together here once; `hot-loop` and `loop-blocked` say what it means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from qqdiag.model import Missing
from qqdiag.snapshot import Frame, Loop, OsThread, Process, Sample
from qqdiag.waits import View
from qqdiag.waits.kernel_threads import SELECTOR_CALLS
from qqdiag.waits.loops import idle, overdue, stack_of

SPIN_CPU = 20.0  # percent; a thread that sleeps in one call uses nothing


class Doing(Enum):
    TURNING = "turning"  # it waits in its selector, or serves its timers
    SPINNING = "spinning"  # it computes and does not return to its selector
    BLOCKED = "blocked"  # it sleeps in a call that is not its selector
    STOPPED = "stopped"  # the process is stopped by a signal or a tracer
    UNKNOWN = "unknown"  # the kernel's part is missing


@dataclass(frozen=True, slots=True)
class LoopThread:
    """One loop's thread. Shares are percent of a core over the interval, None with one sample."""

    loop: Loop
    doing: Doing
    frames: tuple[Frame, ...]  # innermost first
    kernel: OsThread | None
    cpu: float | None
    system: float | None
    awake: bool | None  # it had the CPU, or waited for it, in both samples; None with one sample
    switches: int | None  # voluntary context switches in the interval
    overdue: float  # seconds the earliest timer is late
    overdue_throughout: bool  # that timer was late already in the earlier sample
    same_frames: bool | None  # the stack stands at the same instructions in both samples; None: one sample


def loop_threads(view: View) -> list[LoopThread]:
    """The threads of all running loops."""
    return [_look(view, loop) for loop in view.loops.values() if loop.running and loop.thread is not None]


def _look(view: View, loop: Loop) -> LoopThread:
    kernel, before = _kernel(view.last, loop), _kernel(view.earlier, loop)
    seconds = view.last.taken_at - view.earlier.taken_at if view.earlier else 0.0
    thread, thread_before = stack_of(view.python, loop), stack_of(view.before, loop)
    frames = tuple(thread.frames) if thread else ()
    cpu = _share(kernel, before, seconds, user=True)
    return LoopThread(
        loop=loop,
        doing=_doing(view, loop, kernel, cpu),
        frames=frames,
        kernel=kernel,
        cpu=cpu,
        system=_share(kernel, before, seconds, user=False),
        awake=runs(kernel) and runs(before) if kernel and before else None,
        switches=kernel.voluntary_switches - before.voluntary_switches if kernel and before else None,
        overdue=max(0.0, overdue(loop, view.now)),
        overdue_throughout=_overdue_throughout(view, loop),
        same_frames=spots(frames) == spots(tuple(thread_before.frames)) if thread_before else None,
    )


def _doing(view: View, loop: Loop, kernel: OsThread | None, cpu: float | None) -> Doing:
    if view.stopped:
        return Doing.STOPPED
    if idle(view, loop):
        return Doing.TURNING
    if kernel is None:
        return Doing.UNKNOWN
    call = kernel.syscall.reveal() if kernel.syscall else None
    if loop.opaque and call in SELECTOR_CALLS:  # uvloop waits in C: no Python frame shows it
        return Doing.TURNING
    return Doing.SPINNING if runs(kernel) or (cpu or 0.0) >= SPIN_CPU else Doing.BLOCKED


def runs(kernel: OsThread) -> bool:
    """Whether it computes, or would if it had the CPU."""
    return kernel.state.reveal() == "R" or (kernel.syscall is not None and kernel.syscall.reveal() == "running")


def _kernel(sample: Sample | None, loop: Loop) -> OsThread | None:
    """The loop's thread."""
    if sample is None or not isinstance(sample.process, Process):
        return None
    return next((thread for thread in sample.process.threads if thread.tid == loop.thread), None)


def _share(now: OsThread | None, before: OsThread | None, seconds: float, *, user: bool) -> float | None:
    """Percent of a core: user and system time together, or system time alone."""
    if now is None or before is None or seconds <= 0:
        return None
    used = now.system_seconds - before.system_seconds
    if user:
        used += now.user_seconds - before.user_seconds
    return 100.0 * used / seconds


def _overdue_throughout(view: View, loop: Loop) -> bool:
    """Whether a timer that had passed at the earlier sample is still unserved: not one turn in all the interval."""
    if view.before is None:
        return False
    return any(timer.when_at < view.before.taken_at for timer in loop.timers) and not isinstance(
        view.last.python, Missing
    )


def spots(frames: Iterable[Frame]) -> list[tuple[int, int | None]]:
    """At which instructions a stack stands: the same twice where no thread has gone on."""
    return [(frame.address, frame.offset) for frame in frames]
