"""The gateway's logs and its state file, found through its own environment and read below its own root.

Only files of the gateway's own are read: run by root for another user, a link to somebody's secrets must not be a way
to have them printed.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack

from qqdiag import as_root
from qqdiag.collect import accounts, homes, localtime, rooted, sources, statefile
from qqdiag.collect.logs import journal, logfile, rotated
from qqdiag.collect.logs.history import Old, Zone
from qqdiag.collect.logs.scan import Budget
from qqdiag.collect.logs.templates import Templates
from qqdiag.errors import NotPermitted
from qqdiag.model import Missing, Path, Say, Word
from qqdiag.profiles import Profile
from qqdiag.snapshot import LogFile, Logs, Process, Python, Sample, StateFile

CPU_LIMIT = 2.0  # seconds for all logs: beyond it only a hostile one goes


def collect(pid: int, profile: Profile, sample: Sample | None = None) -> Logs | Missing:
    """What the gateway wrote. NotPermitted, TargetGone; Missing where its home is not known or holds none of it.

    `sample`: tells which code it runs, whose log calls the lines are then matched with.
    """
    uid = accounts.effective_uid(pid)
    try:
        variables = homes.environment(pid)
        home, root = homes.home(pid, uid, profile, variables), rooted.root_of(pid)
    except NotPermitted:
        variables, home, root = {}, homes.by_state_file(pid, profile), "/"
        if home is None:
            raise
    now, at = time.time(), time.monotonic()
    templates = _templates(root, uid, profile, sample)
    journaled = _journal(pid, variables, profile, sample, templates, now)
    if home is None and isinstance(journaled, LogFile):
        return Logs(
            profile=Word(profile.id), files=[journaled], templates=templates.found, process_age=_age(sample, at)
        )
    if home is None:
        return journaled if isinstance(journaled, Missing) else _homeless(pid)
    zone = localtime.named(root, variables)
    found = [journaled, *_read(pid, root, home, uid, profile, zone, now, templates)]
    files = [one for one in found if isinstance(one, LogFile)]
    missing = [one for one in found if isinstance(one, Missing)]
    state = _state(pid, root, home, uid, profile, now)
    if not files and not missing and state is None:
        return _nothing(pid, home)
    return Logs(
        profile=Word(profile.id),
        files=files,
        missing=missing,
        state=state,
        templates=templates.found,
        process_age=_age(sample, at),
    )


def _age(sample: Sample | None, at: float) -> float | None:
    """Of the process, in seconds, at the moment `at` (CLOCK_MONOTONIC): the sample may be of an earlier one."""
    if sample is None or not isinstance(sample.process, Process):
        return None
    return sample.process.uptime + max(0.0, at - sample.taken_at)


def _read(
    pid: int, root: str, home: str, uid: int, profile: Profile, zone: Zone, now: float, templates: Templates
) -> Iterator[LogFile | Missing]:
    """The profile's logs, in its order; nothing of one that is not there."""
    budget = Budget(cpu_until=time.thread_time() + CPU_LIMIT)
    for word, name in profile.log_files.items():
        path = os.path.join(home, name)
        with ExitStack() as stack:
            fd = _opened(pid, root, path, uid, stack)
            if isinstance(fd, Missing):
                yield fd
            elif fd is not None:
                older = _older(pid, root, path, uid, fd, stack)
                yield logfile.read(fd, word, path, profile, zone, now, older, budget, templates)


def _journal(
    pid: int, variables: dict[str, str], profile: Profile, sample: Sample | None, templates: Templates, now: float
) -> LogFile | Missing | None:
    """None where it does not log to the journal, or where its profile does not know what it writes there."""
    if not profile.console or not journal.leads_there(pid, variables):
        return None
    process = sample.process if sample else None
    unit = process.unit if isinstance(process, Process) else None
    return journal.collect(pid, unit.reveal() if unit else None, profile, templates, now)


def _templates(root: str, uid: int, profile: Profile, sample: Sample | None) -> Templates:
    """Of the sources of the code that was seen to run; without its memory, of what lies where its program does."""
    process, python = (sample.process, sample.python) if sample else (None, None)
    if not isinstance(process, Process):
        return Templates((), lambda path: b"")
    began = time.time() - process.uptime
    paths = [code.path.reveal() for code in python.codes] if isinstance(python, Python) else _beside(root, process)
    return Templates(paths, lambda path: sources.text_of(root, path, uid, began), profile.state_words)


def _beside(root: str, process: Process) -> list[str]:
    """The packages of the environment whose program its command line names, as the first of its paths."""
    found = []
    for argument in process.argv[:4]:
        base, program, _ = argument.reveal().partition("/bin/")
        try:
            names = rooted.names(root, f"{base}/lib") if program and base.startswith("/") else []
        except OSError:
            names = []
        found += [f"{base}/lib/{name}/site-packages/any" for name in names if name.startswith("python3")]
    return found


def _opened(pid: int, root: str, path: str, uid: int, stack: ExitStack) -> int | Missing | None:
    """As `open_own`; the stack closes it."""
    fd = open_own(pid, root, path, uid)
    if isinstance(fd, int):
        stack.callback(os.close, fd)
    return fd


def _older(pid: int, root: str, path: str, uid: int, fd: int, stack: ExitStack) -> list[Old]:
    """What was put aside of the log open at `fd`, each file once: a rotation may come between two of our looks."""
    met, found = {_identity(fd)}, []
    for old in rotated.predecessors(root, path):
        opened = _opened(pid, root, old.path, uid, stack)
        if isinstance(opened, int) and _identity(opened) in met:
            continue
        if isinstance(opened, int):
            met.add(_identity(opened))
        if opened is not None:
            found.append(Old(old.path, old.packed, opened))
    return found


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _state(pid: int, root: str, home: str, uid: int, profile: Profile, now: float) -> StateFile | Missing | None:
    """None where the profile names none, or it was never written."""
    if not profile.state_file:
        return None
    path = os.path.join(home, profile.state_file)
    fd = open_own(pid, root, path, uid)
    if fd is None or isinstance(fd, Missing):
        return fd
    with os.fdopen(fd, "rb", buffering=0):
        return statefile.read(fd, path, profile, now)


def open_own(pid: int, root: str, path: str, uid: int) -> int | Missing | None:
    """A descriptor of a file that the user `uid` may read; None where there is none, Missing where it is not opened."""
    try:
        fd = rooted.open_file(root, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return Missing(Say("{path} may not be read by this user", path=Path(path)), as_root.inspect(pid))
    except OSError as error:
        return Missing(
            Say("{path} is no plain file (errno {number})", path=Path(path), number=error.errno or 0),
            _named(pid),
        )
    status = os.fstat(fd)
    if uid in (0, status.st_uid) or status.st_mode & stat.S_IROTH:
        return fd
    os.close(fd)
    return Missing(
        Say("{path} leads to a file that is not the gateway's own", path=Path(path)),
        _named(pid),
    )


def _named(pid: int) -> Say:
    """A path is private, so that a hint which holds one could not be typed where it is shown to others."""
    return Say("qqdiag inspect {pid} --raw names it, then: ls -lL PATH", pid=pid)


def _homeless(pid: int) -> Missing:
    return Missing(
        Say("nothing tells where the gateway keeps its files"),
        Say("see what it has open with: sudo ls -l /proc/{pid}/fd", pid=pid),
    )


def _nothing(pid: int, home: str) -> Missing:
    return Missing(
        Say("there is neither a log nor a state file below {home}", home=Path(home)),
        Say("see what it has open with: sudo ls -l /proc/{pid}/fd", pid=pid),
    )
