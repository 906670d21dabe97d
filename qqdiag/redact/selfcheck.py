"""The last look before a byte is written: no private value, in any common spelling, is in the rendered text.

It shares nothing with the conversions that it checks. It renders the report a second time with every private value
left blank: what that blank rendering holds is certainly not private. Lines that both have are safe; in the others
no run of 8 characters of a private value may occur, unless the blank rendering holds that run too.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from qqdiag.errors import LeakRefused
from qqdiag.finding import Diagnosis
from qqdiag.model import Say, Word
from qqdiag.redact import RULE, Privacy, Redacted, log_texts, redact
from qqdiag.redact.leave_out import SECTIONS
from qqdiag.redact.masked_code import MaskedCode
from qqdiag.redact.private_values import Private, private_values
from qqdiag.redact.spellings import spellings
from qqdiag.snapshot import Snapshot

_RUN = 8
_SQUEEZED_RUN = 10
_SHORTEST = 4  # shorter values are not searched: they occur in any text
_LONGEST = 8000
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# What stands in place of a value, as texts.py writes it, in HTML too.
_IN_PLACE = re.compile(
    r"(?:<|&lt;)(?:[a-z]+-[0-9a-f]+|word|name|file|(?:text|argument) (?:0|1-8|9-32|33-128|(?:>|&gt;)128))(?:>|&gt;)"
)
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#34|#39);")
_GAP = "\x01"  # where something was taken out: what stands before it and behind it was never together
_SPACE = re.compile(r"\s+")
_JOINTS = re.compile(rf"[^\w{_GAP}]+|_+")


class _Page(NamedTuple):
    """A rendering to be searched, and the blank one beside it."""

    body: str
    runs: set[str]
    squeezed_runs: set[str]
    blank: str
    squeezed_blank: str


def rendered(
    render: Callable[[Redacted], str],
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    raw: bool = False,
    also: Iterable[Private] = (),
    facts: bool = False,
    privacy: Privacy = RULE,
) -> str:
    """The text that `render` makes, checked. `LeakRefused` when it holds a private value."""
    if raw:
        return render(redact(snapshot, diagnosis, raw, facts=facts, privacy=privacy))
    mask = MaskedCode(snapshot) if privacy.mask_code else None
    but = log_texts(snapshot) if privacy.log_text else frozenset()
    values = list(dict.fromkeys([*private_values(snapshot, diagnosis, mask=mask, but=but), *also]))

    def look(privacy: Privacy) -> tuple[str, Private | None]:
        text = render(redact(snapshot, diagnosis, facts=facts, privacy=privacy, known=values))
        blank = render(redact(snapshot, diagnosis, blank=True, facts=facts, privacy=privacy, known=values))
        return text, leak(text, blank, values)

    text, found = look(privacy)
    if found is None:
        return text
    others = (section for section in SECTIONS if section not in privacy.drop)
    without = ((section, look(replace(privacy, drop=(*privacy.drop, section)))[1]) for section in others)
    raise _refusal(found, next((section for section, still in without if still != found), None))


def check(text: str, blank: str, values: Iterable[Private]) -> None:
    """`LeakRefused` when `text` holds a run of one of the values that `blank` does not hold."""
    found = leak(text, blank, values)
    if found is not None:
        raise _refusal(found, None)


def leak(text: str, blank: str, values: Iterable[Private]) -> Private | None:
    """The first of the values of which `text` holds a run that `blank` does not hold: as it is, and as HTML is read."""
    values = list(values)
    found = _leak(text, blank, values)
    if found is None and _ENTITY.search(text):
        return _leak(html.unescape(text), html.unescape(blank), values)
    return found


def _leak(text: str, blank: str, values: list[Private]) -> Private | None:
    safe = set(blank.splitlines())
    body = _legible("\n".join(_GAP if line in safe else line for line in text.splitlines()))
    blank = _legible(blank)
    page = _Page(body, set(_runs(body)), set(_runs(_squeeze(body), _SQUEEZED_RUN)), blank, _squeeze(blank))
    return next((value for value in values if _leaked(value, page) or _squeezed(value, page)), None)


def _refusal(found: Private, section: str | None) -> LeakRefused:
    kind, source = Word(found.kind), Word(found.source)
    if section is None:
        said = Say(
            "a value of class {kind}, read from {source}, would have been in the output: nothing was written",
            kind=kind,
            source=source,
        )
        return LeakRefused(said, Say("please report this sentence as it is; --raw shows the output to you alone"))
    said = Say(
        "a value of class {kind}, read from {source}, would have been in the section {section}: nothing was written",
        kind=kind,
        source=source,
        section=Word(section),
    )
    hint = Say("without it: --drop {section}; and please report this sentence as it is", section=Word(section))
    return LeakRefused(said, hint)


def _leaked(private: Private, page: _Page) -> bool:
    value = private.value[:_LONGEST]
    if _SHORTEST <= len(value) < _RUN + 2 and _as_word(value, page.body) and not _as_word(value, page.blank):
        return True
    found = (run for spelling in spellings(value, private.kind) for run in _runs(spelling))
    return any(run in page.runs and run not in page.blank for run in found)


def _as_word(value: str, text: str) -> bool:
    return value in text and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def _runs(text: str, size: int = _RUN) -> Iterator[str]:
    return (text[start : start + size] for start in range(len(text) - size + 1))


def _squeezed(private: Private, page: _Page) -> bool:
    small = _squeeze(private.value[:_LONGEST].replace(_GAP, ""))
    return any(run in page.squeezed_runs and run not in page.squeezed_blank for run in _runs(small, _SQUEEZED_RUN))


def _squeeze(text: str) -> str:
    return _JOINTS.sub("", text.lower())


def _legible(text: str) -> str:
    """As a reader sees it: without colours, line ends, what stands for values, and characters of no width (Cf)."""
    text = _SPACE.sub(" ", _IN_PLACE.sub(_GAP, _COLOUR.sub("", text)))
    return text if text.isascii() else "".join(one for one in text if unicodedata.category(one) != "Cf")
