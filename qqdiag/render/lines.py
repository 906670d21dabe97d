"""The layout that terminal and Markdown share: a section as lines of text, each with its mark. ASCII, no colour."""

from __future__ import annotations

from typing import NamedTuple

from qqdiag.redact import Shown, text_of
from qqdiag.report.document import Line, Mark, Row, Section, Table

_STEP = "  "
_WIDEST_ASIDE = 60  # column where files and lines stand, unless a name reaches beyond it


class Styled(NamedTuple):
    text: str
    mark: Mark
    hang: int  # columns to indent what does not fit on the line


def section_lines(section: Section[Shown]) -> list[Styled]:
    """The body of a section, without its title."""
    column = _column(section)
    lines: list[Styled] = []
    for block in section.blocks:
        lines += table_lines(block) if isinstance(block, Table) else [_line(block, column)]
    return lines


def table_lines(table: Table[Shown]) -> list[Styled]:
    """Columns as wide as their widest cell, two spaces between them."""
    rows = [Row(table.head, Mark.DIM), *table.rows]
    cells = [[text_of(cell) for cell in row.cells] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.head))]
    return [
        Styled(_join(texts, widths, table.right), row.mark, len(_STEP)) for row, texts in zip(rows, cells, strict=True)
    ]


def one_line(line: Line[Shown]) -> Styled:
    """A line by itself, as the verdict."""
    return _line(line, 0)


def _join(texts: list[str], widths: list[int], right: frozenset[int]) -> str:
    columns = (
        text.rjust(width) if column in right else text.ljust(width)
        for column, (text, width) in enumerate(zip(texts, widths, strict=True))
    )
    return "  ".join(columns).rstrip()


def _line(line: Line[Shown], column: int) -> Styled:
    text = _STEP * line.depth + text_of(line.text)
    if line.aside is not None:
        text = f"{text.ljust(column)}  {text_of(line.aside)}"
    return Styled(text, line.mark, len(_STEP) * (line.depth + 2))


def _column(section: Section[Shown]) -> int:
    widths = (
        len(_STEP) * block.depth + len(text_of(block.text))
        for block in section.blocks
        if isinstance(block, Line) and block.aside is not None
    )
    return max((width for width in widths if width <= _WIDEST_ASIDE), default=0)
