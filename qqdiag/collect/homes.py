"""Where the target keeps its files, as it sees them: paths below its own root.

By what it has open (a path that no configuration can contradict), else by its environment, else by its user's home.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter

from qqdiag.collect import accounts, proc, rooted
from qqdiag.profiles import Profile

ENVIRONMENT_BYTES_MAX = 1 << 18
STATE_BYTES_MAX = 1 << 18


def environment(pid: int) -> dict[str, str]:
    """The environment that it was started with. NotPermitted where this user may not see it."""
    if sys.platform != "linux":
        import psutil

        return dict(psutil.Process(pid).environ())
    try:
        data = proc.read(f"/proc/{pid}/environ", ENVIRONMENT_BYTES_MAX)
    except PermissionError:
        raise proc.not_permitted(pid) from None
    except (FileNotFoundError, ProcessLookupError):
        raise proc.gone(pid) from None
    pairs = (proc.text(entry).partition("=") for entry in data.split(b"\0"))
    return {name: value for name, equals, value in pairs if equals}


def home(pid: int, uid: int, profile: Profile, variables: dict[str, str]) -> str | None:
    """The gateway's home folder; None where nothing tells it."""
    return _by_open_files(pid, profile) or _by_environment(pid, uid, profile, variables)


def by_state_file(pid: int, profile: Profile) -> str | None:
    """Where nothing of the process may be read: a home of this user's own whose state file names this very process.

    Its pid and its start time prove whose it is; they are those of our own pid namespace, so that its root is ours.
    """
    homes = [os.environ.get(profile.home_variable), os.path.join(os.path.expanduser("~"), profile.default_home)]
    for home in filter(None, homes):
        try:
            said = json.loads(rooted.read("/", os.path.join(home, profile.state_file), STATE_BYTES_MAX))
            if (said["pid"], said["start_time"]) == (pid, proc.start_ticks(pid)):
                return home
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    return None


def _by_open_files(pid: int, profile: Profile) -> str | None:
    """The folder below which it has log files open by the names that the profile gives them."""
    if sys.platform != "linux":
        return None
    prefix = _root_prefix(pid)
    homes: Counter[str] = Counter()
    for _, link in proc.descriptors(pid):
        for name in profile.log_files.values():
            if link.startswith(prefix + "/") and link.endswith("/" + name):
                homes[link.removeprefix(prefix).removesuffix("/" + name) or "/"] += 1
    return homes.most_common(1)[0][0] if homes else None


def _root_prefix(pid: int) -> str:
    """What a chroot puts before the paths of its descriptors; nothing for a mount namespace, whose root is `/`."""
    root = os.readlink(f"/proc/{pid}/root")
    return "" if root == "/" else root


def _by_environment(pid: int, uid: int, profile: Profile, variables: dict[str, str]) -> str | None:
    account = accounts.by_uid(pid, uid)
    user_home = variables.get("HOME") or (account.home if account else None)
    named = variables.get(profile.home_variable)
    if named and named.startswith("/"):
        return named
    if named and not named.startswith("~") and sys.platform == "linux":
        return os.path.join(os.readlink(f"/proc/{pid}/cwd").removeprefix(_root_prefix(pid)), named)
    if not user_home:
        return None
    return os.path.join(user_home, named.removeprefix("~").lstrip("/") if named else profile.default_home)
