"""The ids of a container's threads, as they are called here.

An interpreter keeps what gettid(2) told it: the number in its own pid namespace. In another one, such as the host's,
the thread has another number, and that one may be a stranger's. /proc/PID/task/TID/status tells both (proc(5), NSpid).
"""

from __future__ import annotations

from msgspec.structs import replace

from qqdiag.model import Say
from qqdiag.snapshot import Leaf, Loop, Process, Python, PyThread, Sample, Task


def as_here(sample: Sample) -> Sample:
    """The sample with the interpreter's thread ids as the kernel's part of it has them.

    One that was born after the kernel was asked has no id here: its rows have none, and that is said.
    """
    process, python = sample.process, sample.python
    if not isinstance(process, Process) or not isinstance(python, Python) or not _apart(process):
        return sample
    here = _by_own_id(process)
    unknown = sum(thread.native_id is not None and thread.native_id not in here for thread in python.threads)
    doubt = Say(
        "threads that were new when they were read: {count}; their ids outside of the container are unknown",
        count=unknown,
    )
    return replace(
        sample,
        python=replace(
            python,
            threads=[_thread(thread, here) for thread in python.threads],
            loops=[_loop(loop, here) for loop in python.loops],
            tasks=[_task(task, here) for task in python.tasks],
            doubts=[*python.doubts, doubt] if unknown else python.doubts,
        ),
    )


def _apart(process: Process) -> bool:
    """Whether it calls any of its threads otherwise than we do."""
    own_pid = process.namespace_pid not in (None, process.pid)
    return own_pid or any(thread.namespace_tid not in (None, thread.tid) for thread in process.threads)


def _by_own_id(process: Process) -> dict[int, int]:
    """Our id of each thread by its own. A capture of an older qqdiag knows the main thread's alone."""
    known = {thread.namespace_tid: thread.tid for thread in process.threads if thread.namespace_tid is not None}
    main = {process.namespace_pid: process.pid} if process.namespace_pid is not None else {}
    return main | known


def _thread(thread: PyThread, here: dict[int, int]) -> PyThread:
    return thread if thread.native_id is None else replace(thread, native_id=here.get(thread.native_id))


def _loop(loop: Loop, here: dict[int, int]) -> Loop:
    return loop if loop.thread is None else replace(loop, thread=here.get(loop.thread))


def _task(task: Task, here: dict[int, int]) -> Task:
    leaf = task.leaf
    if not isinstance(leaf, Leaf) or leaf.thread is None:
        return task
    return replace(task, leaf=replace(leaf, thread=here.get(leaf.thread)))
