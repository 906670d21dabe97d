"""How a program comes into another CPython: by `sys.remote_exec` of the same minor version, or by hypno.

hypno (extra `inject`) puts it into any CPython, at an unsafe place: 0 of 928 injections were seen to fail, none can be
promised. From 3.14 on `sys.remote_exec` (PEP 768) runs it at a safe place, which comes only once the main thread runs
Python again: a loop that waits in its selector for ever, or stands in a call, never gets there.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

from qqdiag.cpython.runtime import attach as runtime_of
from qqdiag.errors import NotPermitted, NotReadable, QqdiagError, UsageError
from qqdiag.memory.live import LiveMemory
from qqdiag.model import Say
from qqdiag.target import Live

REMOTE_EXEC, HYPNO = "remote-exec", "hypno"
NOTHING = "/dev/null"  # as a program: it does nothing, and takes the place of one that has not begun (3.14.10, 3.15.2)
FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
INSTALL = Say("pip install 'qqdiag[inject]' (it may need a compiler)")
REFUSALS = (  # Python/remote_debugging.c, _PySysRemoteDebug_SendExec (3.14)
    (
        "is not enabled",
        Say("it refuses remote debugging: PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug"),
    ),
    ("Can't send commands", Say("sys.remote_exec takes a Python of the same minor version alone")),
)


class Way(NamedTuple):
    """How the program comes into the process, and the folder that both see."""

    name: str
    folder: str


def choose(target: Live, by: str | None) -> Way:
    """The way to use: the one that was asked for, or the safer one. NotReadable, UsageError: there is none, and why."""
    folder = common_folder(target.pid)
    with LiveMemory(target.pid) as memory:
        version = runtime_of(memory).version
    possible = {REMOTE_EXEC: version >= (3, 14) and version[:2] == sys.version_info[:2], HYPNO: _has_hypno()}
    name = by if by is not None else next((name for name, can in possible.items() if can), None)
    if name is not None and possible[name]:
        return Way(name, folder)
    if by == REMOTE_EXEC:
        ours = sys.version_info
        raise UsageError(
            Say("sys.remote_exec is of 3.14 and later, and takes a Python of the same minor version alone"),
            Say(
                "this is {ours}.{our_minor}, the process {major}.{minor}: run qqdiag with the gateway's own Python",
                ours=ours[0],
                our_minor=ours[1],
                major=version[0],
                minor=version[1],
            ),
        )
    if by == HYPNO:
        raise UsageError(Say("hypno is not there"), INSTALL)
    raise NotReadable(
        Say("nothing here can put a program into CPython {major}.{minor}", major=version[0], minor=version[1]),
        Say("pip install 'qqdiag[inject]' (it may need a compiler), or run qqdiag with the gateway's own Python")
        if version >= (3, 14)
        else INSTALL,
    )


def common_folder(pid: int) -> str:
    """A folder for temporary files that is the same one to the process and to us. UsageError where there is none."""
    for folder in (tempfile.gettempdir(), *FOLDERS):
        try:
            if os.path.samestat(os.stat(folder), os.stat(f"/proc/{pid}/root{folder}")):
                return folder
        except OSError:
            continue
    raise UsageError(
        Say("the process sees other files than qqdiag, as in a container: it would not find the program's"),
        Say("run qqdiag in there: docker exec CONTAINER qqdiag attach PID --inject"),
    )


def put(target: Live, way: Way, path: str) -> None:
    """Have the process run the file of a program. NotReadable, NotPermitted, TargetGone where it cannot be."""
    if way.name == REMOTE_EXEC:
        _remote_exec(target, path)
        return
    import hypno
    from pyinjector import PyInjectorError

    tempfile.tempdir = way.folder  # hypno's library must be where the process sees it
    try:
        hypno.inject_py(target.pid, f"exec(open({path!r}).read(), {{}})")
    except (PyInjectorError, OSError):
        target.check()
        raise NotReadable(
            Say("hypno cannot put a program into process {pid}", pid=target.pid), Say("see why: qqdiag doctor")
        ) from None
    finally:
        tempfile.tempdir = None


def withdraw(target: Live, way: Way) -> None:
    """Take back a program that has not begun, where that can be."""
    if way.name == REMOTE_EXEC:
        _remote_exec(target, NOTHING)


def _remote_exec(target: Live, path: str) -> None:
    remote_exec: Callable[[int, str], None] = vars(sys)["remote_exec"]
    try:
        remote_exec(target.pid, path)
    except PermissionError:
        target.check()
        raise NotPermitted(
            Say("the memory of process {pid} may not be written by this user", pid=target.pid), Say("run it with sudo")
        ) from None
    except (RuntimeError, OSError) as error:
        target.check()
        raise _refusal(target.pid, str(error)) from None


def _refusal(pid: int, text: str) -> QqdiagError:
    known = next((say for part, say in REFUSALS if part in text), None)
    if known is not None:
        return NotReadable(known, Say("see its tasks without it: qqdiag inspect {pid}", pid=pid))
    return NotReadable(
        Say("sys.remote_exec does not find its way into process {pid}: its program file is not to be seen", pid=pid),
        Say("run qqdiag where the gateway runs, or: qqdiag attach {pid} --inject --by hypno", pid=pid),
    )


def _has_hypno() -> bool:
    return find_spec("hypno") is not None
