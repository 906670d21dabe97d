"""The diagnosis as one JSON document."""

from __future__ import annotations

import json
import re

import msgspec

from qqdiag.redact import SCHEMA_VERSION, Public, Redacted, Shown, text_of

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


def text(redacted: Redacted) -> str:
    """The document, indented, ASCII."""
    return encoded(plain(redacted.document))


def error_text(kind: Shown, message: Shown, hint: Shown) -> str:
    """An error in the shape that `--json` promises for it."""
    error: dict[str, Public] = {"kind": kind, "message": message, "hint": hint}
    return encoded(plain({"schema_version": SCHEMA_VERSION, "error": error}))


def plain(value: Public) -> Plain:
    """The same tree for the encoder. `TypeError` for a text that redact did not make."""
    if isinstance(value, str):
        return text_of(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} is not public")


def encoded(tree: Plain) -> str:
    """A tree as text, ASCII alone: it is JSON under any locale."""
    text = msgspec.json.format(msgspec.json.encode(tree), indent=2).decode() + "\n"
    return text if text.isascii() else _BEYOND_ASCII.sub(lambda found: json.dumps(found.group())[1:-1], text)
