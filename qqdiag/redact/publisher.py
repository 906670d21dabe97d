"""From typed values to public text: sentences, cells, and whole structs by their declared fields."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from qqdiag.model import Say, Text, Value
from qqdiag.redact.masked_code import MaskedCode
from qqdiag.redact.net import Net
from qqdiag.redact.numbers import number
from qqdiag.redact.private_values import Private
from qqdiag.redact.pseudonyms import Pseudonyms
from qqdiag.redact.shown import Shown, show, show_raw
from qqdiag.redact.texts import as_it_is, convert, private

# What JSON holds, every text of it `Shown`; keys are field names of our own structs.
Public = Shown | int | float | bool | None | list["Public"] | dict[str, "Public"]

BLANK: Final = "\x00"  # stands for a private value in a blank rendering; `show` escapes it, so nothing else holds it
_LONGEST_LOG = 2_000  # characters of a log line
_LONGEST = 2_000  # rows of one table; so many tasks still take a second to write and to check


class Publisher:
    """Converts values, each text once.

    `raw` shows what is private; `blank` replaces it by nothing, for the self-check: what a blank rendering holds is
    certainly not private.
    """

    def __init__(
        self, *, raw: bool = False, blank: bool = False, key: bytes = b"", mask: MaskedCode | None = None
    ) -> None:
        self.names = Pseudonyms(key)
        self.mask = mask
        self.raw = raw
        self.blank = blank
        self.omitted: dict[str, int] = {}  # rows left out, by the name of their table
        self._shown: dict[Text, Shown] = {}
        self._logged: frozenset[Text] = frozenset()
        self._net: Net | None = None

    def show_logs(self, texts: frozenset[Text], known: Iterable[Private]) -> None:
        """From now on these texts are shown as the second net leaves them; `known`: what is private elsewhere."""
        self._logged, self._net = texts, Net(known, self.names)

    def cell(self, cell: Say | Value) -> Shown:
        """A cell of the report, or a sentence of a finding."""
        if isinstance(cell, Say):
            return self.say(cell)
        return self.text(cell) if isinstance(cell, Text) else show(number(cell))

    def say(self, say: Say) -> Shown:
        """A sentence: its template is ours, each value is converted by its type."""
        filled = say.template.format(**{name: self.cell(value) for name, value in say.values.items()})
        return show_raw(filled) if self.raw else show(filled, 1200)

    def text(self, text: Text) -> Shown:
        shown = self._shown.get(text)
        if shown is None:
            shown = self._shown[text] = self._text(text)
        return shown

    def _text(self, text: Text) -> Shown:
        if self.raw:
            return show_raw(text.reveal())
        if self.blank and private(text, self.mask):
            return show(BLANK)
        if self._net is not None and text in self._logged:
            self.names.note(text)
            return show(self._net.clean(text.reveal()), _LONGEST_LOG)
        if self.blank and (shape := as_it_is(text)) is not None:  # so that no fault of a conversion gets in here
            return show(shape)
        return show(convert(text, self.names, self.mask))

    def tree(self, value: object) -> Public:
        """A struct of the snapshot with everything below it. `TypeError` for a type that has no public form."""
        if isinstance(value, Text):
            return self.text(value)
        if isinstance(value, Say):
            return self.say(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value[:_LONGEST]]
        if isinstance(value, msgspec.Struct):
            return self._struct(value)
        raise TypeError(f"no public form is declared for {type(value).__name__}")

    def _struct(self, struct: msgspec.Struct) -> dict[str, Public]:
        tag = struct.__struct_config__.tag
        fields: dict[str, Public] = {"type": show(str(tag))} if tag else {}
        for name in struct.__struct_fields__:
            value = getattr(struct, name)
            fields[name] = self.tree(value)
            if isinstance(value, list) and len(value) > _LONGEST:
                self.omitted[name] = self.omitted.get(name, 0) + len(value) - _LONGEST
        return fields
