"""Errors in public form: they may hold what the target or its files chose."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple

import click

from qqdiag.errors import QqdiagError
from qqdiag.model import CodePath, Name, Say, Word
from qqdiag.redact.publisher import Publisher
from qqdiag.redact.shown import Shown, show

_MOST_ERRORS = 8
_MOST_FRAMES = 40
_PLAIN_WORD = re.compile(r"-{0,2}[a-z][a-z-]{0,30}")


class ShownError(NamedTuple):
    kind: Shown
    message: Shown
    hint: Shown


def expected(error: QqdiagError) -> ShownError:
    """An error that the user can act on."""
    return _shown(error.kind, error.message, error.hint)


def usage(error: click.ClickException, words: Iterable[str] = ()) -> ShownError:
    """What is wrong with the command line. Of the caller's words only those are repeated that look like commands."""
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "qqdiag"
    return ShownError(show("usage"), show(_without_values(error.format_message(), words)), show(f"{command} --help"))


def _without_values(message: str, words: Iterable[str]) -> str:
    """`words`: the command line's. A path or a name in it is the caller's own, and what is printed may be posted."""
    values = [part for word in words for part in (word, word.partition("=")[2]) if part]
    private = (one for one in values if len(one) > 3 and not _PLAIN_WORD.fullmatch(one))
    for value in sorted(private, key=len, reverse=True):
        message = message.replace(value, "<argument>")
    return message


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
    hint = Say("please report this line; QQDIAG_TRACEBACK=1 shows the way to it")
    return _shown("own-fault", message, hint)


def way_to(error: BaseException) -> list[Shown]:
    """The traceback of an error and of those that led to it, the last one first: types and places, no texts."""
    publisher, lines = Publisher(), list[Shown]()
    met: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in met and len(met) < _MOST_ERRORS:
        met.append(current)
        lines.append(publisher.say(Say("{type} at", type=Name(type(current).__qualname__))))
        for frame in traceback.extract_tb(current.__traceback__)[-_MOST_FRAMES:]:
            path, name = CodePath(frame.filename), Name(frame.name)
            lines.append(publisher.say(Say("  {path}:{line} in {name}", path=path, line=frame.lineno or 0, name=name)))
        current = current.__cause__ or current.__context__
    return lines


def _shown(kind: str, message: Say, hint: Say) -> ShownError:
    publisher = Publisher()
    return ShownError(publisher.text(Word(kind)), publisher.say(message), publisher.say(hint))
