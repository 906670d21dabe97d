"""What to type where this user's rights do not suffice.

sudo searches another PATH than the user's own, in which a virtual environment is not: the shell fills in the whole
path before sudo sees it, so that the hint can be typed and yet names nothing of this machine.
"""

from __future__ import annotations

import os
import shutil
import sys

from qqdiag.model import Say, Word

YAMA = "/proc/sys/kernel/yama/ptrace_scope"


def inspect(pid: int) -> Say:
    """How to look at a process that this user may not read; to root, that it is a container that holds it back."""
    if os.geteuid() == 0:
        return from_outside(pid)
    if shutil.which("qqdiag") is None:
        return _by_another_name(pid)
    if yama() == 1:
        return Say(
            'sudo "$(command -v qqdiag)" inspect {pid}, or until the next boot: sudo sysctl kernel.yama.ptrace_scope=0',
            pid=pid,
        )
    return Say('sudo "$(command -v qqdiag)" inspect {pid}', pid=pid)


def _by_another_name(pid: int) -> Say:
    """It was started as `python -m qqdiag`, or by a path."""
    python = os.path.basename(sys.executable)
    if shutil.which(python) == sys.executable:
        return Say('sudo "$(command -v {python})" -m qqdiag inspect {pid}', python=Word(python), pid=pid)
    return Say("as root, by the whole path that it was started with: sudo PATH inspect {pid}", pid=pid)


def from_outside(pid: int) -> Say:
    """What gives root in a container the right that it lacks: docker-exec(1), podman-exec(1), kubectl debug."""
    return Say(
        "run qqdiag on the host, or: docker exec --privileged CONTAINER qqdiag inspect {pid} (podman alike), or start "
        "the container with --cap-add SYS_PTRACE; in Kubernetes: "
        "kubectl debug -it POD --target=CONTAINER --profile=general --image=IMAGE",
        pid=pid,
    )


def yama() -> int:
    """kernel.yama.ptrace_scope; 0 where there is no yama."""
    try:
        with open(YAMA, "rb") as file:
            return int(file.read(20))
    except (OSError, ValueError):
        return 0
