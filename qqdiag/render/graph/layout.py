"""Where the boxes of a graph stand and how its edges run, in pixels. Plain numbers: what is in a box is not known here.

The same boxes and edges always give the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from qqdiag.render.graph.columns import Pair, columns, parts
from qqdiag.render.graph.stacking import centres, ordered

BETWEEN_COLUMNS = 68
BETWEEN_BOXES = 20
WIDEST = 1360  # of what stands side by side, unless one part alone is wider
_BEND_HEIGHT = 6  # of the place that a long edge takes in a column that it passes
_PORT = 13  # between the ends of edges at one side of a box
_LOOP = 22
_UPRIGHT = 30  # more between two boxes of a column, where an edge leads from one to the other

Point = tuple[int, int]
Curve = tuple[int, int, int, int, int, int]  # of a cubic Bezier curve: two controls and the end


@dataclass(frozen=True, slots=True)
class Route:
    """How an edge runs: from `start` along the curves; `label` is about its middle."""

    start: Point
    curves: tuple[Curve, ...]
    label: Point
    upright: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Upper left corners of the boxes, routes of the edges, and the size of it all."""

    corners: tuple[Point, ...]
    routes: tuple[Route, ...]
    width: int
    height: int


@dataclass
class _Part:
    """A connected part of the graph, by itself."""

    nodes: list[int]
    column: dict[int, int]
    middle: dict[int, float]
    paths: dict[int, list[int]]  # by edge: the nodes and bends that it passes, its ends among them
    width: int
    height: int


def layout(width: int, heights: Sequence[int], edges: Sequence[Pair]) -> Layout:
    """Boxes that are all `width` wide, of the given heights. What is connected with the first comes first."""
    corners: dict[int, Point] = {}
    routes: dict[int, Route] = {}
    left = top = shelf = right = 0
    for part in [_part(nodes, width, heights, edges) for nodes in parts(len(heights), edges)]:
        if left and left + part.width > max(WIDEST, right):
            left, top, shelf = 0, top + shelf + 2 * BETWEEN_BOXES, 0
        placed = _corners(part, width, heights, left, top)
        corners |= {node: placed[node] for node in part.nodes}
        routes |= _routes(part, width, heights, edges, placed)
        left, shelf = left + part.width + BETWEEN_COLUMNS, max(shelf, part.height)
        right = max(right, left - BETWEEN_COLUMNS)
    return Layout(
        tuple(corners[node] for node in sorted(corners)),
        tuple(routes[edge] for edge in sorted(routes)),
        right,
        top + shelf,
    )


def _part(nodes: list[int], width: int, heights: Sequence[int], edges: Sequence[Pair]) -> _Part:
    own = {number: edge for number, edge in enumerate(edges) if edge[0] in nodes}
    column = columns(nodes, list(own.values()))
    first = min(column.values())
    column = {node: number - first for node, number in column.items()}
    paths, bends = _paths(own, column, len(heights))
    steps = [pair for path in paths.values() for pair in pairwise(path)]
    everything = {**column, **bends}
    table: list[list[int]] = [[] for _ in range(max(everything.values()) + 1)]
    for node, number in everything.items():
        table[number].append(node)
    table = ordered(table, steps)
    sizes = {node: float(heights[node]) if node < len(heights) else float(_BEND_HEIGHT) for node in everything}
    upright = {frozenset(edge): float(_UPRIGHT) for edge in own.values() if column[edge[0]] == column[edge[1]]}
    middle = centres(table, steps, sizes, BETWEEN_BOXES, upright)
    height = max(middle[node] + sizes[node] / 2 for node in everything)
    loops = any(source == target for source, target in own.values())
    return _Part(nodes, everything, middle, paths, _across(table, width) + loops * _LOOP, round(height))


def _across(table: list[list[int]], width: int) -> int:
    return len(table) * width + (len(table) - 1) * BETWEEN_COLUMNS


def _paths(own: dict[int, Pair], column: dict[int, int], free: int) -> tuple[dict[int, list[int]], dict[int, int]]:
    """The nodes that each edge passes; with a bend, a node of its own, in each column that it crosses."""
    paths: dict[int, list[int]] = {}
    bends: dict[int, int] = {}
    for number, (source, target) in own.items():
        step = 1 if column[target] >= column[source] else -1
        passed = range(column[source] + step, column[target], step) if column[source] != column[target] else range(0)
        between = list(range(free, free + len(passed)))
        bends |= dict(zip(between, passed, strict=True))
        paths[number] = [source, *between, target]
        free += len(between)
    return paths, bends


def _corners(part: _Part, width: int, heights: Sequence[int], left: int, top: int) -> dict[int, Point]:
    return {
        node: (
            left + part.column[node] * (width + BETWEEN_COLUMNS),
            top + round(part.middle[node] - (heights[node] / 2 if node < len(heights) else 0)),
        )
        for node in part.column
    }


def _routes(
    part: _Part, width: int, heights: Sequence[int], edges: Sequence[Pair], at: dict[int, Point]
) -> dict[int, Route]:
    """Every edge of the part. `at` has the middles of bends."""
    ports = _ports(part, heights, at)
    routes: dict[int, Route] = {}
    for number, path in part.paths.items():
        source, target = edges[number]
        if source == target:
            routes[number] = _self_loop(at[source], width)
        elif part.column[source] == part.column[target]:
            routes[number] = _upright(at[source], at[target], width, heights[source], heights[target])
        else:
            routes[number] = _across_columns(number, path, part, width, at, ports)
    return routes


Ports = dict[tuple[int, int], int]  # by edge and node: the height at which the edge meets the node's side


def _ports(part: _Part, heights: Sequence[int], at: dict[int, Point]) -> Ports:
    """Ends at one side of a box stand apart, in the order of where they lead."""
    sides: dict[tuple[int, bool], list[tuple[float, int]]] = {}
    for number, path in part.paths.items():
        for node, other in ((path[0], path[1]), (path[-1], path[-2])):
            if part.column[node] != part.column[other]:
                right = part.column[other] > part.column[node]
                sides.setdefault((node, right), []).append((part.middle[other], number))
    ports: Ports = {}
    for (node, _), ends in sides.items():
        step = min(float(_PORT), (heights[node] - 16) / len(ends))
        for place, (_, number) in enumerate(sorted(ends)):
            ports[number, node] = round(at[node][1] + heights[node] / 2 + (place - (len(ends) - 1) / 2) * step)
    return ports


def _across_columns(number: int, path: list[int], part: _Part, width: int, at: dict[int, Point], ports: Ports) -> Route:
    rightward = part.column[path[-1]] > part.column[path[0]]
    points: list[Point] = []
    for place, node in enumerate(path):
        left, right = at[node][0], at[node][0] + width
        y = ports.get((number, node), at[node][1])
        entering, leaving = ((left, y), (right, y)) if rightward else ((right, y), (left, y))
        points += [leaving] if place == 0 else [entering] if place == len(path) - 1 else [entering, leaving]
    curves = tuple(_curve(one, other) for one, other in pairwise(points))
    middle = len(points) // 2
    (x1, y1), (x2, y2) = points[middle - 1], points[middle]
    return Route(points[0], curves, ((x1 + x2) // 2, (y1 + y2) // 2))


def _curve(one: Point, other: Point) -> Curve:
    half = (other[0] - one[0]) // 2
    return one[0] + half, one[1], other[0] - half, other[1], other[0], other[1]


def _upright(one: Point, other: Point, width: int, one_height: int, other_height: int) -> Route:
    """Between two boxes of one column, from the bottom of the upper to the top of the lower, or up."""
    x = one[0] + width // 2
    down = other[1] > one[1]
    y1 = one[1] + (one_height if down else 0)
    y2 = other[1] + (0 if down else other_height)
    half = (y2 - y1) // 2
    return Route((x, y1), ((x, y1 + half, x, y2 - half, x, y2),), (x, (y1 + y2) // 2), True)


def _self_loop(corner: Point, width: int) -> Route:
    """Out of the right side and in again."""
    x, y, far = corner[0] + width, corner[1], 2 * _LOOP
    return Route((x, y + 14), ((x + far, y + 6, x + far, y + 46, x, y + 36),), (x + _LOOP, y + 25))
