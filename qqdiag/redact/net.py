"""The second net, for log text that the caller asked to see: known values, then shapes, then a vocabulary.

It works on segments: what is masked by one is never looked at again, so that a name in place of a value is not taken
for a value. It cannot hide what a person says in plain words, which is why nothing is shown by it unless it is asked
for (`--with-log-text`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from qqdiag.redact import public
from qqdiag.redact.patterns import ADDRESS, PATTERNS, Pattern
from qqdiag.redact.private_values import Private
from qqdiag.redact.pseudonyms import Pseudonyms, canonical

LONGEST = 8_000  # characters of one line
_RUN = 8
_SHORTEST = 4
_WORD = re.compile(r"\w+|[^\x00-\x7f]+")
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SMALL = 4  # digits of a number that is shown
_QUANTITY = re.compile(rf"\d{{1,{_SMALL}}}(?:s|ms|us|ns|m|min|h|d|x|B|kB|KB|MB|GB)?")
_LEAST = 3  # letters of a word within a word
_TOKEN = re.compile(r"[\w.@-]+")


class Segment(str):
    """A part that has been masked: nothing looks into it any more."""

    __slots__ = ()


class Net:
    """Made once a report. `values`: what is private elsewhere in it; `names`: its pseudonyms."""

    def __init__(self, values: Iterable[Private], names: Pseudonyms) -> None:
        found = {value.value for value in values if len(value.value) >= _SHORTEST}
        self._names = names
        self._short = {value for value in found if len(value) < _RUN + 2}
        self._runs = {value[at : at + _RUN] for value in found for at in range(min(len(value), LONGEST) - _RUN + 1)}

    def clean(self, text: str) -> str:
        """The text with everything masked that one of the three nets holds back."""
        legible = "".join(one for one in text[:LONGEST] if unicodedata.category(one) not in ("Cf", "Cs"))
        parts: list[str] = [legible]
        for mask in (self._known, self._addresses, *map(_of_pattern, PATTERNS), _vocabulary):
            parts = [new for part in parts for new in ([part] if isinstance(part, Segment) else mask(part))]
        return "".join(parts)

    def _known(self, text: str) -> list[str]:
        """Every stretch that private values cover by runs of 8, and short values that stand by themselves."""
        spans: list[tuple[int, int]] = []
        for at in range(len(text) - _RUN + 1):
            if text[at : at + _RUN] in self._runs:
                spans = _joined(spans, at, at + _RUN)
        parts: list[str] = []
        last = 0
        for begin, end in spans:
            parts += [*self._alone(text[last:begin]), Segment("<private>")]
            last = end
        return [*parts, *self._alone(text[last:])]

    def _alone(self, text: str) -> list[str]:
        """Values too short for runs: where the words of the text are one."""
        return _cut(text, ((found.span(), "<private>") for found in _TOKEN.finditer(text) if found[0] in self._short))

    def _addresses(self, text: str) -> list[str]:
        found = ((one.span(), self._address(one[0])) for one in ADDRESS.finditer(text))
        return _cut(text, ((span, name) for span, name in found if name))

    def _address(self, value: str) -> str:
        return self._names.address(value) if canonical(value) else ""


def _joined(spans: list[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int]]:
    if spans and begin <= spans[-1][1]:
        spans[-1] = spans[-1][0], end
    else:
        spans.append((begin, end))
    return spans


def _cut(text: str, found: Iterable[tuple[tuple[int, int], str]]) -> list[str]:
    """The text with each span replaced by its name, which is a segment of its own."""
    parts: list[str] = []
    last = 0
    for (begin, end), name in found:
        parts += [text[last:begin], Segment(name)]
        last = end
    return [part for part in (*parts, text[last:]) if part]


def _of_pattern(pattern: Pattern) -> Callable[[str], list[str]]:
    kind, expression = pattern
    group = "v" if "v" in expression.groupindex else 0

    def mask(text: str) -> list[str]:
        return _cut(text, ((one.span(group), _called(kind, one[group])) for one in expression.finditer(text)))

    return mask


def _called(kind: str, value: str) -> str:
    """Of a URL a public vendor's host stays."""
    if kind == "url":
        scheme, _, rest = value.partition("://")
        host = public.host(re.split(r"[/?#:]", rest, maxsplit=1)[0])
        return f"{scheme.lower()}://{host}/<path>" if host and scheme.lower() in ("https", "wss") else "<url>"
    return f"<{kind}>"


def _vocabulary(text: str) -> list[str]:
    """Words of public source and small numbers stay."""
    return _cut(text, ((one.span(), _hidden(one[0])) for one in _WORD.finditer(text) if not _is_public(one[0])))


def _hidden(word: str) -> str:
    return "<number>" if word.isdigit() else "<word>"


def _is_public(word: str) -> bool:
    """`reconnect_count`, `ClientSession`, `http2`, `4009`: each part a word that is known, or a small number."""
    return word.isascii() and all(_is_known(part) for part in word.split("_") if part)


def _is_known(part: str) -> bool:
    if len(part) == 1 or _QUANTITY.fullmatch(part):
        return True
    letters = part.rstrip("0123456789")
    if not letters or len(part) - len(letters) > _SMALL:
        return False
    if letters.lower() in words():
        return True
    pieces = _PIECE.findall(letters)
    return "".join(pieces) == letters and all(len(one) >= _LEAST and one.lower() in words() for one in pieces)


@cache
def words() -> frozenset[str]:
    """The vocabulary, in lower case."""
    text = Path(__file__).with_name("vocabulary.txt").read_text("ascii")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
