"""The wait graph as boxes with texts and edges with their routes: what the page's template draws."""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.redact import Shown
from qqdiag.redact.shown import clipped
from qqdiag.render.graph.layout import Point, Route, layout
from qqdiag.report.drawn import Edge, Graph, Kind, Link, Node
from qqdiag.report.marks import Mark

WIDTH = 280
_PAD = 12
_TITLE, _LINE = 19, 16  # heights
_LONGEST = 34  # characters of 12 pixels in a line
_LONGEST_TITLE = 25  # of 13 pixels, the word for the kind beside them
_MARGIN = 10
_WIDE = 1500  # beyond this it is not made to fit, but scrolled
_GRAVITY = (Mark.DIM, Mark.PLAIN, Mark.STRONG, Mark.GOOD, Mark.WARN, Mark.BAD)


@dataclass(frozen=True, slots=True)
class Text:
    """A line of a box; y is its baseline."""

    y: int
    text: Shown


@dataclass(frozen=True, slots=True)
class Box:
    """A node of the graph at its place; `full` are its texts uncut."""

    x: int
    y: int
    height: int
    kind: Kind
    mark: Mark
    count: int
    ring: bool
    title: Text
    lines: tuple[Text, ...]
    full: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge of the graph on its way. It is marked when it leads to what is marked, or is part of a cycle."""

    route: Route
    link: Link
    ring: bool
    mark: Mark

    @property
    def held(self) -> bool:
        return self.link is Link.HELD

    @property
    def runs(self) -> bool:
        return self.link is Link.RUNS


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it, and its size with a margin."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    has_held: bool
    has_runs: bool
    has_ring: bool
    width: int
    height: int
    margin: int = _MARGIN
    box_width: int = WIDTH

    @property
    def wide(self) -> bool:
        return self.width > _WIDE


def picture(graph: Graph[Shown]) -> Picture:
    """The drawing of a graph; the same graph always gives the same."""
    heights = [_height(node) for node in graph.nodes]
    laid = layout(WIDTH, heights, [(edge.source, edge.target) for edge in graph.edges])
    ringed = {end for edge in graph.edges if edge.ring for end in (edge.source, edge.target)}
    boxes = tuple(
        _box(node, corner, height, place in ringed)
        for place, (node, corner, height) in enumerate(zip(graph.nodes, laid.corners, heights, strict=True))
    )
    arrows = tuple(_arrow(graph, edge, route) for edge, route in zip(graph.edges, laid.routes, strict=True))
    held, runs = any(arrow.held for arrow in arrows), any(arrow.runs for arrow in arrows)
    return Picture(boxes, arrows, held, runs, bool(ringed), laid.width + 2 * _MARGIN, laid.height + 2 * _MARGIN)


def _height(node: Node[Shown]) -> int:
    return 2 * _PAD + _TITLE + _LINE * len(node.lines) - 6


def _box(node: Node[Shown], corner: Point, height: int, ring: bool) -> Box:
    x, y = corner
    title = Text(y + _PAD + 12, clipped(node.title, _LONGEST_TITLE))
    lines = tuple(
        Text(y + _PAD + 12 + _TITLE + _LINE * number, clipped(line, _LONGEST, tail="/" in line))
        for number, line in enumerate(node.lines)
    )
    full = (node.title, *node.lines)
    return Box(x, y, height, node.kind, node.mark, node.count, ring, title, lines, full)


def _arrow(graph: Graph[Shown], edge: Edge, route: Route) -> Arrow:
    mark = graph.nodes[edge.target].mark
    if edge.ring:
        mark = max((Mark.WARN, *(node.mark for node in _ring(graph, edge))), key=_GRAVITY.index)
    return Arrow(route, edge.link, edge.ring, mark)


def _ring(graph: Graph[Shown], edge: Edge) -> list[Node[Shown]]:
    """The nodes of the cycle that an edge is part of."""
    ends = {edge.target}
    for _ in graph.edges:
        ends |= {other.target for other in graph.edges if other.ring and other.source in ends}
    return [node for place, node in enumerate(graph.nodes) if place in ends]
