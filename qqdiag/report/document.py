"""The shape of a report: sections of lines and tables, the same for every format.

It is generic in what a cell is: `Cell` (typed values, still private) where it is written, `Shown` (public text) once
`redact` has converted each cell by its type. Renderers know these few shapes and nothing of gateways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from qqdiag.model import Say, Value
from qqdiag.report.drawn import Graph, Plot, convert_graph, convert_plot
from qqdiag.report.marks import Mark

__all__ = ["Block", "Cell", "Headline", "Line", "Mark", "Report", "Row", "Section", "Table", "convert"]

Cell = Say | Value
C = TypeVar("C")
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Line(Generic[C]):
    """One line of text, `depth` steps indented; `aside` stands in a column of its own behind it (a file and line)."""

    text: C
    depth: int = 0
    mark: Mark = Mark.PLAIN
    aside: C | None = None


@dataclass(frozen=True, slots=True)
class Row(Generic[C]):
    cells: tuple[C, ...]
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True)
class Table(Generic[C]):
    """Columns of equal length; `right` names the columns that hold numbers."""

    head: tuple[C, ...]
    rows: tuple[Row[C], ...]
    right: frozenset[int] = frozenset()


Block = Line[C] | Table[C]


@dataclass(frozen=True, slots=True)
class Section(Generic[C]):
    """A part of the report. `id` is a word of ours: the self-check names it, formats order by it."""

    id: str
    title: C
    blocks: tuple[Line[C] | Table[C], ...]


@dataclass(frozen=True, slots=True)
class Headline(Generic[C]):
    """The gravest finding, in the parts that the verdict's line joins; `others`: that there are more."""

    severity: C
    id: C
    confidence: C
    summary: C
    others: C | None = None


@dataclass(frozen=True, slots=True)
class Report(Generic[C]):
    """`verdict` is the line that comes first and last. Only formats that can draw show the graph and the plot."""

    verdict: Line[C]
    sections: tuple[Section[C], ...]
    headline: Headline[C] | None = None
    graph: Graph[C] | None = None
    plot: Plot[C] | None = None


def convert(report: Report[C], change: Callable[[C], D]) -> Report[D]:
    """The same report with each cell changed."""
    return Report(
        _line(report.verdict, change),
        tuple(_section(section, change) for section in report.sections),
        _headline(report.headline, change) if report.headline else None,
        convert_graph(report.graph, change) if report.graph else None,
        convert_plot(report.plot, change) if report.plot else None,
    )


def _headline(headline: Headline[C], change: Callable[[C], D]) -> Headline[D]:
    return Headline(
        change(headline.severity),
        change(headline.id),
        change(headline.confidence),
        change(headline.summary),
        None if headline.others is None else change(headline.others),
    )


def _section(section: Section[C], change: Callable[[C], D]) -> Section[D]:
    blocks = tuple(
        _line(block, change) if isinstance(block, Line) else _table(block, change) for block in section.blocks
    )
    return Section(section.id, change(section.title), blocks)


def _line(line: Line[C], change: Callable[[C], D]) -> Line[D]:
    aside = None if line.aside is None else change(line.aside)
    return Line(change(line.text), line.depth, line.mark, aside)


def _table(table: Table[C], change: Callable[[C], D]) -> Table[D]:
    rows = tuple(Row(tuple(change(cell) for cell in row.cells), row.mark) for row in table.rows)
    return Table(tuple(change(cell) for cell in table.head), rows, table.right)
