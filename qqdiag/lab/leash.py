"""What ends a process of the lab: its bound, and the death of whoever started it.

Both are the kernel's doing, so that they work on a loop that spins or blocks and need no thread in the process.
Stdlib only: the gateway runs in other interpreters.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_PTRACER = 0x59616D61
PR_SET_PTRACER_ANY = ctypes.c_ulong(-1)


def leash(seconds: float, parent: int) -> None:
    """End this process after `seconds`, and as soon as the thread of `parent` that started it is gone.

    Other processes of the same user may trace it from now on, which ptrace_scope 1 keeps to ancestors otherwise
    (Documentation/admin-guide/LSM/Yama.rst): a lab is there to be looked at.
    """
    # SIGALRM ends a process that has no handler for it; a handler of Python would wait for the loop to come round.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
