"""`Shown`: a text that may be seen by everybody. Only this package makes one."""

from __future__ import annotations

import re
from typing import Final, final

_TOKEN: Final = object()
LONGEST: Final = 400
# Everything but printable ASCII: control and escape sequences, bidirectional overrides, zero-width characters, and
# letters that look like others. What qqdiag says by itself is ASCII, so that it is legible under any locale.
_UNSAFE: Final = re.compile(r"[^\x20-\x7e]")


@final
class Shown(str):
    """A public text. A renderer that is given any other `str` raises."""

    __slots__ = ()

    def __new__(cls, text: str, token: object = None) -> Shown:
        if token is not _TOKEN:
            raise TypeError("only redact makes public text")
        return super().__new__(cls, text)


def show(text: str, longest: int = LONGEST) -> Shown:
    """The one place where a text is escaped and bounded. Private to this package: the caller answers for `text`."""
    return Shown(_bounded(_UNSAFE.sub(_escape, text[: longest + 1]), longest), _TOKEN)


def show_raw(text: str, longest: int = 8 * LONGEST) -> Shown:
    """As `show`, but letters of every script stay: for the operator's own eyes."""
    escaped = "".join(character if character.isprintable() else _escape_one(character) for character in text[:longest])
    return Shown(_bounded(escaped, longest), _TOKEN)


def text_of(cell: Shown) -> str:
    """The characters of a public text; `TypeError` for any other string, whatever the annotations promised."""
    if type(cell) is not Shown:
        raise TypeError(f"a {type(cell).__name__} is not public text")
    return str.__str__(cell)


def clipped(text: Shown, longest: int, tail: bool = False) -> Shown:
    """A public text in no more than `longest` characters: its head, or its tail."""
    if len(text) <= longest:
        return text
    return Shown(f"...{text[3 - longest :]}" if tail else f"{text[: longest - 3]}...", _TOKEN)


def _escape(found: re.Match[str]) -> str:
    return _escape_one(found.group())


def _escape_one(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def _bounded(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
