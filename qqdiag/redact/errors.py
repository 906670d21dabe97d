"""Errors in public form: they may hold what the target or its files chose."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import NamedTuple

import click

from qqdiag.errors import QqdiagError
from qqdiag.model import CodePath, Name, Say, Word
from qqdiag.redact.publisher import Publisher
from qqdiag.redact.shown import Shown, show


class ShownError(NamedTuple):
    kind: Shown
    message: Shown
    hint: Shown


def expected(error: QqdiagError) -> ShownError:
    """An error that the user can act on."""
    return _shown(error.kind, error.message, error.hint)


def usage(error: click.ClickException) -> ShownError:
    """What is wrong with the command line, in the caller's own words."""
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "qqdiag"
    return ShownError(show("usage"), show(error.format_message()), show(f"{command} --help"))


def own_fault(kind: type[BaseException], trace: TracebackType | None) -> ShownError:
    """A fault of qqdiag: type and place, never the message, which may hold anything."""
    frames = traceback.extract_tb(trace)
    path, line = (frames[-1].filename, frames[-1].lineno) if frames else ("<unknown>", None)
    message = Say(
        "a fault of qqdiag itself: {type} at {path}:{line}",
        type=Name(kind.__name__),
        path=CodePath(path),
        line=line or 0,
    )
    hint = Say("please report this line; QQDIAG_TRACEBACK=1 shows the traceback, which may hold private values")
    return _shown("own-fault", message, hint)


def _shown(kind: str, message: Say, hint: Say) -> ShownError:
    publisher = Publisher()
    return ShownError(publisher.text(Word(kind)), publisher.say(message), publisher.say(hint))
