"""Lists of equal records: a table without a head for a person, a list of objects for a program."""

from __future__ import annotations

from qqdiag.redact import Shown, text_of
from qqdiag.render.jsonout import encoded


def rows(records: list[dict[str, Shown]], as_json: bool) -> str:
    """One line or object a record."""
    if as_json:
        return encoded([{name: text_of(cell) for name, cell in record.items()} for record in records])
    cells = [[text_of(cell) for cell in record.values()] for record in records]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)
