"""What the report shows as a picture: a graph of who waits for whom, and events on a time axis.

Places and sizes are the renderer's. As with lines, `Cell` is what a caption is here, `Shown` once it is public.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from qqdiag.report.marks import Mark

C = TypeVar("C")
D = TypeVar("D")


class Kind(StrEnum):
    """What a node of the wait graph stands for."""

    TASK = "task"
    LOCK = "lock"
    SOCKET = "socket"
    THREAD = "thread"
    PROCESS = "process"
    FUTURE = "future"
    LOOP = "loop"


class Link(StrEnum):
    """What an edge of the wait graph says: its source cannot go on before its target does."""

    WAITS = "waits for"
    HELD = "is held by"
    RUNS = "is running"


@dataclass(frozen=True, slots=True)
class Node(Generic[C]):
    """`count` equal tasks, sockets or locks; `lines` say more of them, the most important first."""

    kind: Kind
    title: C
    lines: tuple[C, ...] = ()
    count: int = 1
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True)
class Edge:
    """From one node to another, by their places in the graph. `ring`: it is part of a cycle."""

    source: int
    target: int
    link: Link
    ring: bool = False


@dataclass(frozen=True, slots=True)
class Graph(Generic[C]):
    """`says`: what the picture shows, in sentences. `hidden`: how much it does not show."""

    nodes: tuple[Node[C], ...]
    edges: tuple[Edge, ...]
    says: tuple[C, ...] = ()
    hidden: C | None = None


@dataclass(frozen=True, slots=True)
class Lane(Generic[C]):
    """A row of a plot."""

    title: C
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True)
class Event(Generic[C]):
    """Something that happened `age` seconds before the snapshot, in the lane of that place."""

    lane: int
    age: float
    says: C
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True)
class Tick(Generic[C]):
    """A time on the axis: when, and how long before the snapshot."""

    age: float
    at: C
    before: C


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, by ages: with an authenticated session (`up`), or without one that should be there."""

    begin: float
    end: float
    up: bool


@dataclass(frozen=True, slots=True)
class Plot(Generic[C]):
    """Events oldest first; a tick for each of their times, oldest first, the last for the snapshot itself."""

    lanes: tuple[Lane[C], ...]
    events: tuple[Event[C], ...]
    ticks: tuple[Tick[C], ...]
    spans: tuple[Span, ...] = ()


def convert_graph(graph: Graph[C], change: Callable[[C], D]) -> Graph[D]:
    """The same graph with each caption changed."""
    nodes = tuple(
        Node(node.kind, change(node.title), tuple(map(change, node.lines)), node.count, node.mark)
        for node in graph.nodes
    )
    hidden = None if graph.hidden is None else change(graph.hidden)
    return Graph(nodes, graph.edges, tuple(map(change, graph.says)), hidden)


def convert_plot(plot: Plot[C], change: Callable[[C], D]) -> Plot[D]:
    """The same plot with each caption changed."""
    return Plot(
        tuple(Lane(change(lane.title), lane.mark) for lane in plot.lanes),
        tuple(Event(event.lane, event.age, change(event.says), event.mark) for event in plot.events),
        tuple(Tick(tick.age, change(tick.at), change(tick.before)) for tick in plot.ticks),
        plot.spans,
    )
