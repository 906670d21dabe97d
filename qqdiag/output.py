"""Files that qqdiag writes: whole or not at all, for their owner's eyes, never through a link."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

from qqdiag.errors import UsageError
from qqdiag.model import Say

REASONS = {
    errno.ENOENT: Say("its folder does not exist"),
    errno.ENOTDIR: Say("a part of its path is a file"),
    errno.EACCES: Say("this user may not write to its folder"),
    errno.EROFS: Say("its file system is read-only"),
    errno.ENOSPC: Say("the disk is full"),
    errno.EDQUOT: Say("this user's share of the disk is full"),
    errno.ENAMETOOLONG: Say("its name is too long"),
}


def write_private(path: Path, data: bytes) -> None:
    """Write `data` to `path` with mode 0600, by way of a new file beside it that is renamed when it is complete.

    A symbolic link at `path` is replaced and not followed. Under sudo the file belongs to who called sudo.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(Say("the output is not a regular file"), Say("give -o the name of a file, or - for stdout"))
    try:
        beside, descriptor = _new(path)
    except OSError as error:
        raise UsageError(_why(error), Say("give -o a name in a folder that you may write to")) from error
    try:
        _fill(descriptor, data)
        os.replace(beside, path)
    except OSError as error:
        raise UsageError(_why(error), Say("look for space with df, or give -o another folder")) from error
    finally:  # whatever ends it, a signal too
        beside.unlink(missing_ok=True)


def is_left_behind(beside: Path) -> bool:
    """Whether a half-written file is of a process that was killed: its writer holds a lock, which ends with it."""
    try:
        descriptor = os.open(beside, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _new(path: Path) -> tuple[Path, int]:
    """A new file beside `path`, locked (flock(2)) before anybody could take it for one that was left behind."""
    while True:
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if beside.exists():
            return beside, descriptor
        os.close(descriptor)


def _why(error: OSError) -> Say:
    if error.errno in REASONS:
        return Say("the output cannot be written: {reason}", reason=REASONS[error.errno])
    return Say("the output cannot be written (error {number})", number=error.errno or 0)


def _fill(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        caller, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
        if os.geteuid() == 0 and caller.isdecimal() and group.isdecimal():
            os.fchown(file.fileno(), int(caller), int(group))
