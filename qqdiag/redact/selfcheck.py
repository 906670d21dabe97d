"""The last look before a byte is written: no private value, in any common spelling, is in the rendered text.

It shares nothing with the conversions that it checks. It renders the report a second time with every private value
left blank: what that blank rendering holds is certainly not private. Lines that both have are safe; in the others
no run of 8 characters of a private value may occur, unless the blank rendering holds that run too.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from qqdiag.errors import LeakRefused
from qqdiag.finding import Diagnosis
from qqdiag.model import CodePath, Say, Text, Word
from qqdiag.redact import Redacted, redact
from qqdiag.redact.texts import private
from qqdiag.snapshot import Snapshot

_PLAIN = frozenset({int, float, str, bool, type(None)})
_RUN = 8
_SQUEEZED_RUN = 10
_SHORTEST = 4  # shorter values are not searched: they occur in any text
_LONGEST = 8000
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PSEUDONYM = re.compile(r"<[a-z]+-[0-9]+>")
_SPACE = re.compile(r"\s+")
_JOINTS = re.compile(r"[\W_]+")


class Private(NamedTuple):
    """A value that may not be seen, its class, and where it was read."""

    value: str
    kind: str
    source: str


def rendered(
    render: Callable[[Redacted], str],
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    raw: bool = False,
    also: Iterable[Private] = (),
    facts: bool = False,
) -> str:
    """The text that `render` makes, checked. `LeakRefused` when it holds a private value."""
    text = render(redact(snapshot, diagnosis, raw, facts=facts))
    if not raw:
        blank = render(redact(snapshot, diagnosis, blank=True, facts=facts))
        check(text, blank, [*private_values(snapshot, diagnosis), *also])
    return text


def check(text: str, blank: str, values: Iterable[Private]) -> None:
    """`LeakRefused` when `text` holds a run of one of the values that `blank` does not hold."""
    safe = set(blank.splitlines())
    body = _legible("\n".join(line for line in text.splitlines() if line not in safe))
    blank = _legible(blank)
    runs = {body[start : start + _RUN] for start in range(len(body) - _RUN + 1)}
    squeezed, squeezed_blank = _squeeze(body), _squeeze(blank)
    for value in dict.fromkeys(values):
        found = _leaked(value.value[:_LONGEST], body, runs, blank) or _squeezed(value.value, squeezed, squeezed_blank)
        if found:
            raise LeakRefused(
                Say(
                    "a value of class {kind}, read from {source}, would have been in the output: nothing was written",
                    kind=Word(value.kind),
                    source=Word(value.source),
                ),
                Say("please report this sentence as it is; --raw shows the output to you alone"),
            )


def _leaked(value: str, body: str, runs: set[str], blank: str) -> bool:
    if _SHORTEST <= len(value) < _RUN + 2 and _as_word(value, body) and not _as_word(value, blank):
        return True
    return any(run in runs and run not in blank for spelling in _spellings(value) for run in _runs(spelling))


def _as_word(value: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def _runs(text: str) -> Iterator[str]:
    return (text[start : start + _RUN] for start in range(len(text) - _RUN + 1))


def _spellings(value: str) -> Iterator[str]:
    """The forms in which a value gets into a text by accident."""
    yield from {value, value.lower(), value.upper(), value[::-1], quote(value, safe=""), json.dumps(value)[1:-1]}
    data = value.encode("utf-8", "surrogateescape")
    if len(data) >= 6:
        yield data.hex()
        yield data.hex().upper()
        for shift in range(3):
            # What stands before and behind the value changes the first and last characters of its base64 form.
            yield base64.b64encode(bytes(shift) + data).decode("ascii").rstrip("=")[2 * (shift > 0) + shift : -1]


def _squeezed(value: str, body: str, blank: str) -> bool:
    small = _squeeze(value[:_LONGEST])
    runs = (small[start : start + _SQUEEZED_RUN] for start in range(len(small) - _SQUEEZED_RUN + 1))
    return any(run in body and run not in blank for run in runs)


def _squeeze(text: str) -> str:
    return _JOINTS.sub("", text.lower())


def _legible(text: str) -> str:
    """As a reader sees it: without colours, line ends, our pseudonyms and characters of no width (category Cf)."""
    text = _SPACE.sub(" ", _PSEUDONYM.sub(" ", _COLOUR.sub("", text)))
    return text if text.isascii() else "".join(one for one in text if unicodedata.category(one) != "Cf")


def private_values(*roots: object) -> list[Private]:
    """Every private text below the given structs, each once, with the field it was read from."""
    found: dict[Text, Private] = {}
    judged: set[Text] = set()
    met: dict[int, Text] = {}  # by identity: a snapshot of many tasks shares most of its texts
    todo: list[tuple[object, str]] = [(root, "report") for root in roots]
    while todo:
        value, source = todo.pop()
        if isinstance(value, msgspec.Struct):
            todo += _of_struct(value, met)
        elif isinstance(value, list):
            todo += [(item, source) for item in value if type(item) not in _PLAIN and id(item) not in met]
        elif isinstance(value, Text):
            met[id(value)] = value
            if value not in judged:
                judged.add(value)
                if private(value) or isinstance(value, CodePath):
                    found[value] = Private(value.reveal(), type(value).__name__, source)
        elif not isinstance(value, int | float | str | None):
            todo += _of_other(value, source)
    return list(found.values())


def _of_struct(value: msgspec.Struct, met: dict[int, Text]) -> list[tuple[object, str]]:
    """What its fields hold, but for numbers, empty lists and texts that were met."""
    found: list[tuple[object, str]] = []
    for name in value.__struct_fields__:
        inner = getattr(value, name)
        if type(inner) not in _PLAIN and id(inner) not in met and inner != []:
            found.append((inner, f"{type(value).__name__}.{name}"))
    return found


def _of_other(value: object, source: str) -> list[tuple[object, str]]:
    if isinstance(value, tuple):
        return [(item, source) for item in value]
    if isinstance(value, Say):
        return [(inner, source) for inner in value.values.values()]
    kind = type(value).__name__
    if is_dataclass(value):
        return [(getattr(value, field.name), f"{kind}.{field.name}") for field in fields(value)]
    raise TypeError(f"the self-check does not know {kind}")
