"""What can stop qqdiag, and what to type next.

    QqdiagError                 exit 2 unless a child says otherwise
    ├── UsageError              the command line makes no sense
    ├── NoSuchTarget            no such process, file or unit
    ├── NotPermitted            it is there, but may not be read
    ├── NotReadable             it can be read, but is not what qqdiag reads (not Python, PyPy, unknown build)
    ├── TargetGone              it exited, or became another process, while it was read
    ├── BadCapture              a capture that is damaged or of an unknown schema
    └── LeakRefused             exit 4: the self-check of redaction found a private value in the output

Each carries one sentence and one hint that can be typed. They are told apart by class, never by text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from qqdiag.model import Say, Word


class QqdiagError(Exception):
    """Something that the user can act on: `message` says what, `hint` what to type."""

    exit_code = 2
    kind = "error"

    def __init__(self, message: Say, hint: Say) -> None:
        super().__init__(message.template)
        self.message = message
        self.hint = hint


class UsageError(QqdiagError):
    kind = "usage"


class NoSuchTarget(QqdiagError):
    kind = "no-such-target"


class NotPermitted(QqdiagError):
    kind = "not-permitted"


class NotReadable(QqdiagError):
    kind = "not-readable"


class TargetGone(QqdiagError):
    kind = "target-gone"


class BadCapture(QqdiagError):
    kind = "bad-capture"


class LeakRefused(QqdiagError):
    exit_code = 4
    kind = "leak-refused"


def meant(given: str, known: Iterable[str], otherwise: Say) -> Say:
    """The hint for an id that there is not: the one that looks most like it, and what to type `otherwise`."""
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return Say("did you mean {id}? {otherwise}", id=Word(near[0]), otherwise=otherwise) if near else otherwise
