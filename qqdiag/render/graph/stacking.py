"""The order of nodes within each column, and their heights: few crossings, and neighbours near to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

Pair = tuple[int, int]
Columns = list[list[int]]

_SWEEPS = 12


def ordered(columns: Columns, edges: Sequence[Pair]) -> Columns:
    """Each column's nodes in an order with few crossings (barycentres, swept to and fro; the best is kept).

    Edges lead between neighbouring columns.
    """
    best, fewest = columns, _crossings(columns, edges)
    current = columns
    for sweep in range(_SWEEPS):
        current = _swept(current, edges, forward=sweep % 2 == 0)
        count = _crossings(current, edges)
        if count < fewest:
            best, fewest = current, count
    return best


def _swept(columns: Columns, edges: Sequence[Pair], forward: bool) -> Columns:
    beside = _beside(edges)
    swept = [list(column) for column in columns]
    numbers = range(len(swept)) if forward else range(len(swept) - 1, -1, -1)
    for number in numbers:
        before = number - 1 if forward else number + 1
        if 0 <= before < len(swept):
            place = {node: position for position, node in enumerate(swept[before])}
            own = {node: position for position, node in enumerate(swept[number])}
            swept[number].sort(key=lambda node: (_mean(beside.get(node, ()), place, own[node]), own[node]))
    return swept


def _mean(nodes: Sequence[int], place: Mapping[int, float], otherwise: float) -> float:
    known = [place[node] for node in nodes if node in place]
    return sum(known) / len(known) if known else otherwise


def _beside(edges: Sequence[Pair]) -> dict[int, list[int]]:
    beside: dict[int, list[int]] = {}
    for source, target in edges:
        beside.setdefault(source, []).append(target)
        beside.setdefault(target, []).append(source)
    return beside


def _crossings(columns: Columns, edges: Sequence[Pair]) -> int:
    place = {node: (number, position) for number, column in enumerate(columns) for position, node in enumerate(column)}
    lines = [tuple(sorted((place[source], place[target]))) for source, target in edges]
    lines = [line for line in lines if line[0][0] != line[1][0]]
    return sum(
        one[0][0] == other[0][0] and (one[0][1] - other[0][1]) * (one[1][1] - other[1][1]) < 0
        for index, one in enumerate(lines)
        for other in lines[:index]
    )


def centres(
    columns: Columns,
    edges: Sequence[Pair],
    heights: Mapping[int, float],
    gap: float,
    more: Mapping[frozenset[int], float],
) -> dict[int, float]:
    """Where the middle of each node lies: near the mean of its neighbours, `gap` between the nodes of a column.

    `more`: what is added between two that stand one below the other.
    """
    beside = _beside(edges)
    offsets = [_offsets(column, heights, gap, more) for column in columns]
    middle: dict[int, float] = {}
    for number in range(len(columns)):
        _place(columns[number], [0.0] * len(columns[number]), offsets[number], middle)
    for sweep in range(_SWEEPS):
        for number in range(len(columns)) if sweep % 2 == 0 else reversed(range(len(columns))):
            wanted = [_mean(beside.get(node, ()), middle, middle[node]) for node in columns[number]]
            _place(columns[number], wanted, offsets[number], middle)
    top = min((middle[node] - heights[node] / 2 for node in middle), default=0.0)
    return {node: value - top for node, value in middle.items()}


def _offsets(
    column: list[int], heights: Mapping[int, float], gap: float, more: Mapping[frozenset[int], float]
) -> list[float]:
    """How far the middle of each node is from that of the column's first, when they stand as near as may be."""
    offsets = [0.0]
    for before, node in pairwise(column):
        apart = gap + more.get(frozenset((before, node)), 0.0)
        offsets.append(offsets[-1] + (heights[before] + heights[node]) / 2 + apart)
    return offsets


def _place(column: list[int], wanted: list[float], offsets: list[float], middle: dict[int, float]) -> None:
    """The places nearest to those wanted (least squares) that keep order and distance: pooled adjacent violators."""
    pools: list[tuple[float, int]] = []  # mean and size
    for want, offset in zip(wanted, offsets, strict=False):
        pools.append((want - offset, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (one, few), (other, many) = pools[-2:]
            pools[-2:] = [((one * few + other * many) / (few + many), few + many)]
    free = [mean for mean, size in pools for _ in range(size)]
    middle |= {node: mean + offset for node, mean, offset in zip(column, free, offsets, strict=False)}
