"""Whether an event loop turns: what its thread's innermost frame is, and how late its earliest timer is."""

from __future__ import annotations

from qqdiag.snapshot import Code, Loop, Python, PyThread, Task
from qqdiag.waits import View, code_of


def stack_of(python: Python | None, loop: Loop) -> PyThread | None:
    """The interpreter's thread that runs a loop."""
    if python is None or loop.thread is None:
        return None
    return next((thread for thread in python.threads if thread.native_id == loop.thread), None)


def in_selector(python: Python, thread: PyThread) -> bool:
    """Whether the innermost Python frame is the selector's wait (cpython Lib/selectors.py): the loop is idle."""
    code = code_of(python, thread.frames[0]) if thread.frames else None
    return code is not None and code.name.reveal() == "select" and code.path.reveal().endswith("selectors.py")


def overdue(loop: Loop, at: float) -> float:
    """Seconds by which the loop's earliest timer has passed unserved: the loop has not gone round for so long."""
    return max([at - timer.when_at for timer in loop.timers], default=0.0)


def idle(view: View, loop: Loop) -> bool:
    """Whether the loop was in its selector in one of the samples, or serves its timers: then it turns."""
    for python in (view.python, view.before):
        thread = stack_of(python, loop)
        if python is not None and thread is not None and in_selector(python, thread):
            return True
    return False


def turns(view: View, task: Task) -> bool:
    """Whether the task's loop turns, so that a waiting task waits for something and not for the loop."""
    loop = view.loops.get(task.loop)
    return loop is None or idle(view, loop) or overdue(loop, view.now) < 1.0


def is_standard(python: Python, code: Code) -> bool:
    """Whether it is code of the standard library."""
    path = code.path.reveal()
    library = f"/python{python.version[0]}.{python.version[1]}/"
    return path.startswith("<") or (library in path and "-packages/" not in path)
