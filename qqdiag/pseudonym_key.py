"""The file of `--pseudonym-key`: what makes pseudonyms the same in two reports, for its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from qqdiag.errors import UsageError
from qqdiag.model import Say

SHORTEST = 16  # bytes
LONGEST = 4096
_MAKE = Say("make one: (umask 077; head -c 32 /dev/urandom > KEY)")


def read(path: Path) -> bytes:
    """The key. UsageError where there is none, where others may read it, and where it is no key.

    A symbolic link is not followed, as somebody else may have put it there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        said = Say("there is no key file to read (error {number})", number=error.errno or 0)
        raise UsageError(said, _MAKE) from None
    with os.fdopen(descriptor, "rb") as file:
        _check(os.fstat(descriptor))
        key = file.read(LONGEST + 1)
    if not SHORTEST <= len(key) <= LONGEST:
        raise UsageError(
            Say("a key has {least} to {most} bytes", least=SHORTEST, most=LONGEST),
            _MAKE,
        )
    return key


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(Say("the key is no regular file"), _MAKE)
    if status.st_mode & 0o077:
        mode = Say("the key file may be read or written by others")
        raise UsageError(mode, Say("chmod 600 KEY, or make another: (umask 077; head -c 32 /dev/urandom > KEY)"))
    if status.st_uid not in _owners():
        raise UsageError(Say("the key file belongs to somebody else"), Say("copy it, and chmod 600 the copy"))


def _owners() -> set[int]:
    """This user; under sudo also who called it."""
    caller = os.environ.get("SUDO_UID", "")
    return {os.geteuid(), *([int(caller)] if os.geteuid() == 0 and caller.isdecimal() else [])}
