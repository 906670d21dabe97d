"""Find the gateway that runs on this machine: by its command line, and by the pid that it wrote into its home."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path as FilePath

from qqdiag.collect import attempt, proc
from qqdiag.errors import NoSuchTarget, UsageError
from qqdiag.model import Say
from qqdiag.profiles import Profile, profiles
from qqdiag.snapshot import Logs, StateFile

STATE_BYTES_MAX = 1 << 20
LISTED = 8  # pids named when there are several


def the_gateway() -> int:
    """The pid of the only gateway. NoSuchTarget when there is none, UsageError with the pids of several, NotReadable
    where processes are not to be seen."""
    if sys.platform == "linux":
        proc.check_mounted()
    found = gateways()
    if not found:
        raise NoSuchTarget(
            Say("no gateway that qqdiag knows runs on this machine, as far as this user can see"),
            Say("list the processes that have an event loop: qqdiag ps"),
        )
    registered = [pid for pid in found if _is_registered(pid)] if len(found) > 1 else []
    if len(registered) == 1:
        return registered[0]
    if len(found) > 1:
        raise UsageError(
            Say("{count} gateways run on this machine: {pids}", count=len(found), pids=_listed(found)),
            Say("choose one: qqdiag inspect {pid}", pid=found[0]),
        )
    return found[0]


def gateways() -> list[int]:
    """The pids of every gateway of a known profile, in order."""
    known = profiles()
    own = set(ancestors(os.getpid()))
    by_command = {pid for pid in pids() if pid not in own and any(runs(pid, profile) for profile in known)}
    by_file = {pid for profile in known for pid in _written_pids(profile)} - own
    return sorted(by_command | by_file)


def pythons() -> list[int]:
    """The pids of what runs an interpreter, in order, but for this process and those that started it."""
    own = set(ancestors(os.getpid()))
    return sorted(pid for pid in pids() if pid not in own and "python" in os.path.basename(_words(pid)[0]))


def pids() -> list[int]:
    """Every process that /proc shows; none where there is no /proc."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except FileNotFoundError:
        return []


def _listed(found: list[int]) -> Say:
    """The pids as a sentence of numbers."""
    listed = Say("{pid}", pid=found[0])
    for pid in found[1:LISTED]:
        listed = Say("{before}, {pid}", before=listed, pid=pid)
    return Say("{before} and more", before=listed) if len(found) > LISTED else listed


def runs(pid: int, profile: Profile) -> bool:
    """Whether an interpreter runs a program that the profile names: `python …/hermes`, `python -m hermes_cli`."""
    words = _words(pid)
    return "python" in os.path.basename(words[0]) and any(os.path.basename(word) in profile.argv for word in words[1:4])


def _words(pid: int) -> list[str]:
    """Its command line; one empty word where it cannot be read."""
    try:
        return proc.text(proc.read(f"/proc/{pid}/cmdline")).split("\0")
    except OSError:
        return [""]


def _is_registered(pid: int) -> bool:
    """Whether its own state file names it as the gateway: other commands of the same program write none."""
    from qqdiag.collect import logs

    for profile in profiles():
        found = attempt("logs", logs.collect, pid, profile) if runs(pid, profile) else None
        if isinstance(found, Logs) and isinstance(found.state, StateFile):
            return found.state.pid in _names(pid) and found.state.start_ticks == proc.start_ticks(pid)
    return False


def _names(pid: int) -> list[int]:
    """Its pids, here and in the namespaces that it lives in."""
    status = proc.status_fields(proc.read(f"/proc/{pid}/status"))
    return [int(word) for word in status.get("NSpid", str(pid)).split()]


def _written_pids(profile: Profile) -> Iterator[int]:
    """The process that the state file below the profile's home names, if it is still that one."""
    home = os.environ.get(profile.home_variable) or os.path.join(os.path.expanduser("~"), profile.default_home)
    if not profile.state_file:
        return
    try:
        with (FilePath(home) / profile.state_file).open("rb") as file:
            said = json.loads(file.read(STATE_BYTES_MAX))
        if proc.start_ticks(said["pid"]) == said["start_time"]:
            yield said["pid"]
    except (OSError, ValueError, KeyError, TypeError, NoSuchTarget):
        return


def ancestors(pid: int) -> Iterator[int]:
    """This process and those that started it: `sudo qqdiag inspect` is no gateway."""
    while pid > 0:
        yield pid
        try:
            pid = int(proc.stat_fields(proc.read(f"/proc/{pid}/stat"))[1][1])
        except OSError:
            return
