"""Lists of equal records: a table for a person, a list of objects for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from qqdiag.redact import Public, Shown, text_of
from qqdiag.render.jsonout import encoded, plain


def rows(records: Sequence[Mapping[str, Shown]], as_json: bool) -> str:
    """One line or object a record, without a head."""
    if as_json:
        return objects(records)
    return _lines([[text_of(cell) for cell in record.values()] for record in records])


def table(records: Sequence[Mapping[str, Shown]]) -> str:
    """One line a record, below the names of its fields."""
    head = [name.replace("_", " ") for name in records[0]] if records else []
    return _lines([head, *([text_of(cell) for cell in record.values()] for record in records)])


def checklist(records: Sequence[Mapping[str, Shown]]) -> str:
    """`works` and `found` of each `what`, and below what does not work its `costs` and `hint`."""
    heads, wide = [], max(len(text_of(record["what"])) for record in records)
    for record in records:
        works, what = text_of(record["works"]) == "yes", text_of(record["what"])
        heads.append(f"{'ok   ' if works else 'lacks'}  {what:{wide}}  {text_of(record['found'])}\n")
        if not works:
            heads += [f"{'':{wide + 9}}{name}: {text_of(record[name])}\n" for name in ("costs", "hint")]
    return "".join(heads)


def objects(records: Sequence[Mapping[str, Public]]) -> str:
    """One object a record."""
    return encoded([{name: plain(value) for name, value in record.items()} for record in records])


def one_object(record: Public) -> str:
    """A document of its own."""
    return encoded(plain(record))


def line(record: Mapping[str, Public]) -> str:
    """One object in one line."""
    return msgspec.json.encode({name: plain(value) for name, value in record.items()}).decode() + "\n"


def _lines(cells: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)
