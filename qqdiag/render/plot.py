"""Events on an axis of time. The axis is drawn to be read: long quiet stretches are short on it, and say how long
they are, so that a burst of reconnects three days ago and the silence since then both have room.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from qqdiag.redact import Shown
from qqdiag.redact.shown import clipped
from qqdiag.report.drawn import Event, Plot
from qqdiag.report.marks import Mark

WIDTH = 1160
_LEFT, _RIGHT = 190, 70  # beside the axis: the names of the lanes, and room for the last label
_LANE = 26
_TOP, _BOTTOM = 16, 48
_BETWEEN_LABELS = 140
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Row:
    y: int
    mark: Mark
    name: Shown


@dataclass(frozen=True, slots=True)
class Dot:
    x: int
    y: int
    mark: Mark
    says: Shown


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch with (`up`) or without a session."""

    x: int
    width: int
    up: bool


@dataclass(frozen=True, slots=True)
class Label:
    x: int
    at: Shown
    before: Shown


@dataclass(frozen=True, slots=True)
class Drawing:
    rows: tuple[Row, ...]
    dots: tuple[Dot, ...]
    bands: tuple[Band, ...]
    labels: tuple[Label, ...]
    left: int
    right: int
    bottom: int  # of the lanes
    width: int
    height: int


def drawing(plot: Plot[Shown]) -> Drawing:
    """The plot with its places in pixels."""
    right = WIDTH - _RIGHT
    place = _places([tick.age for tick in plot.ticks], _LEFT, right)
    rows = tuple(
        Row(_TOP + _LANE * number + _LANE // 2, lane.mark, clipped(lane.title, _LONGEST_NAME))
        for number, lane in enumerate(plot.lanes)
    )
    bands = tuple(Band(place[span.begin], place[span.end] - place[span.begin], span.up) for span in plot.spans)
    bottom = _TOP + _LANE * len(rows)
    dots = tuple(_dot(event, place, rows) for event in plot.events)
    return Drawing(rows, dots, bands, _labels(plot, place), _LEFT, right, bottom, WIDTH, bottom + _BOTTOM)


def _places(ages: list[float], left: int, right: int) -> dict[float, int]:
    """From ages, oldest first, to pixels. A step is as wide as the logarithm of its time, so that equal ones are."""
    steps = [math.log1p(max(one - other, 0.0)) + 0.05 for one, other in pairwise(ages)]
    whole, done = sum(steps) or 1.0, 0.0
    places = {ages[0]: left} if steps else {ages[-1]: right}
    for age, step in zip(ages[1:], steps, strict=True):
        done += step
        places[age] = left + round((right - left) * done / whole)
    return places


def _dot(event: Event[Shown], place: dict[float, int], rows: tuple[Row, ...]) -> Dot:
    return Dot(place[event.age], rows[event.lane].y, event.mark, event.says)


def _labels(plot: Plot[Shown], place: dict[float, int]) -> tuple[Label, ...]:
    """The last tick, and of the others as many as have room, the newest first."""
    labels: list[Label] = []
    for tick in reversed(plot.ticks):
        x = place[tick.age]
        if not labels or labels[-1].x - x >= _BETWEEN_LABELS:
            labels.append(Label(x, tick.at, tick.before))
    return tuple(reversed(labels))
