"""Columns for the nodes of a directed graph, so that edges lead from left to right and a cycle stays a round.

Nodes are numbers from 0 on. A cycle is folded: its nodes stand as many columns from its first as there are steps
between them, whichever way round, so that it goes out on one side and comes back on the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from qqdiag.report.wait_graph.likeness import cycles

Pair = tuple[int, int]


def parts(count: int, edges: Sequence[Pair]) -> list[list[int]]:
    """The connected parts of the graph, each in ascending order, by their first nodes."""
    beside: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        beside[source].append(target)
        beside[target].append(source)
    found: list[list[int]] = []
    met: set[int] = set()
    for start in range(count):
        if start not in met:
            part = [start]
            met.add(start)
            for node in part:
                part += [other for other in dict.fromkeys(beside[node]) if other not in met]
                met.update(beside[node])
            found.append(sorted(part))
    return found


def columns(nodes: Sequence[int], edges: Sequence[Pair]) -> dict[int, int]:
    """The column of each node, from 0 on. An edge leads to a later one, or stays within a cycle."""
    follows: dict[int, list[int]] = {node: [] for node in nodes}
    for source, target in edges:
        follows[source].append(target)
    steps = dict.fromkeys(nodes, 0)  # from the first node of its cycle
    home = {node: node for node in nodes}  # the first node of its cycle, or itself
    for ring in cycles(nodes, follows):
        first = _entry(ring, edges)
        steps |= _around(first, ring, edges)
        home |= dict.fromkeys(ring, first)
    base = _bases(nodes, edges, steps, home)
    column = {node: base[home[node]] + steps[node] for node in nodes}
    return _drawn_near(column, edges)


def _entry(ring: list[int], edges: Sequence[Pair]) -> int:
    """The node by which others lead into a cycle, else its first."""
    entries = [target for source, target in edges if target in ring and source not in ring]
    return min(entries, default=min(ring))


def _around(first: int, ring: list[int], edges: Sequence[Pair]) -> dict[int, int]:
    steps = {first: 0}
    todo = [first]
    for node in todo:
        for source, target in edges:
            other = target if source == node else source if target == node else None
            if other is not None and other in ring and other not in steps:
                steps[other] = steps[node] + 1
                todo.append(other)
    return steps


def _bases(nodes: Sequence[int], edges: Sequence[Pair], steps: dict[int, int], home: dict[int, int]) -> dict[int, int]:
    """The longest way to each node, a cycle counting as one of them."""
    base = dict.fromkeys(nodes, 0)
    for _ in nodes:
        before = dict(base)
        for source, target in edges:
            if home[source] != home[target]:
                least = base[home[source]] + steps[source] + 1 - steps[target]
                base[home[target]] = max(base[home[target]], least)
        if base == before:
            break
    return base


def _drawn_near(column: dict[int, int], edges: Sequence[Pair]) -> dict[int, int]:
    """What nothing leads to stands right before what it leads to."""
    targets = {target for _, target in edges}
    near = dict(column)
    for node in column:
        onward = [column[target] for source, target in edges if source == node]
        if node not in targets and onward:
            near[node] = min(onward) - 1
    return near
