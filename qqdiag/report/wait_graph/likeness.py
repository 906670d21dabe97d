"""Which things of a graph look the same, so that one of them can be drawn for all; and which are worth drawing.

Two are alike when they look alike, and what they lead to and what leads to them is alike, step by step (colour
refinement). Members of a cycle are like nobody: a cycle is drawn as one.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from qqdiag.report.drawn import Link

K = TypeVar("K", bound=Hashable)
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Arc(Generic[K]):
    """An edge between two keys."""

    source: K
    target: K
    link: Link


def classes(looks: Mapping[K, Hashable], arcs: list[Arc[K]], alone: Collection[K]) -> list[list[K]]:
    """The keys in classes of likes, each in the order of `looks`; a key in `alone` has a class of its own."""
    colour = _numbered({key: ((key,) if key in alone else None, look) for key, look in looks.items()})
    for _ in range(_ROUNDS):
        before = len(set(colour.values()))
        colour = _refined(colour, arcs)
        if len(set(colour.values())) == before:
            break
    found: dict[int, list[K]] = {}
    for key, number in colour.items():
        found.setdefault(number, []).append(key)
    return list(found.values())


def _refined(colour: dict[K, int], arcs: list[Arc[K]]) -> dict[K, int]:
    out: dict[K, set[tuple[Link, int]]] = {key: set() for key in colour}
    into: dict[K, set[tuple[Link, int]]] = {key: set() for key in colour}
    for arc in arcs:
        out[arc.source].add((arc.link, colour[arc.target]))
        into[arc.target].add((arc.link, colour[arc.source]))
    return _numbered({key: (number, frozenset(out[key]), frozenset(into[key])) for key, number in colour.items()})


def _numbered(values: Mapping[K, Hashable]) -> dict[K, int]:
    """Each value's number, by its first appearance."""
    numbers: dict[Hashable, int] = {}
    return {key: numbers.setdefault(value, len(numbers)) for key, value in values.items()}


def cycles(keys: Iterable[K], follows: Mapping[K, list[K]]) -> list[list[K]]:
    """The strongly connected parts that hold a cycle (Tarjan 1972, without recursion), their keys as they were met."""
    found: list[list[K]] = []
    index: dict[K, int] = {}
    low: dict[K, int] = {}
    open_: list[K] = []
    for start in keys:
        path = [] if start in index else [(start, 0)]
        while path:
            here, position = path.pop()
            if position == 0:
                index[here] = low[here] = len(index)
                open_.append(here)
            onward = follows.get(here, [])
            if position < len(onward):
                path.append((here, position + 1))
                if onward[position] not in index:
                    path.append((onward[position], 0))
                continue
            low[here] = min([low[here], *(low[other] for other in onward if other in low)])
            if low[here] == index[here]:
                part = _closed(open_, here, low)
                if len(part) > 1 or here in onward:
                    found.append(part)
    return found


def _closed(open_: list[K], root: K, low: dict[K, int]) -> list[K]:
    """What stands above a root, which leaves with it."""
    part: list[K] = []
    while not part or part[-1] != root:
        part.append(open_.pop())
        del low[part[-1]]
    return part[::-1]


def nearest(start: Collection[K], everything: Iterable[K], neighbours: Mapping[K, list[K]]) -> dict[K, int]:
    """Steps from one of `start` to each key, whatever the direction of edges; absent where no edge leads."""
    steps = {key: 0 for key in everything if key in start}
    todo = list(steps)
    for key in todo:
        for other in neighbours.get(key, []):
            if other not in steps:
                steps[other] = steps[key] + 1
                todo.append(other)
    return steps
