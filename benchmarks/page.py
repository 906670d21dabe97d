"""The page of the benchmarks: its tables in README.md, and a chart on logarithmic axes as SVG, in plain strings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

README = Path(__file__).with_name("README.md")
WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 215, 44, 56  # margins; the right one has the names of the curves
COLOURS = ("#0b6e4f", "#c2410c", "#4b5563", "#1d4ed8", "#9333ea", "#a16207")
APART = 15  # pixels between two names

Point = tuple[float, float]


def replace(name: str, text: str) -> None:
    """The part of README.md between `<!-- NAME -->` and `<!-- /NAME -->`."""
    pattern = rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)"
    README.write_text(re.sub(pattern, lambda _: f"{text}\n", README.read_text(), flags=re.DOTALL))


def chart(title: str, across: str, up: str, curves: Mapping[str, Sequence[Point]]) -> str:
    """One SVG with a line a curve; all numbers are above 0."""
    points = [point for curve in curves.values() for point in curve]
    lowest_x, highest_x = decades([x for x, _ in points])
    lowest_y, highest_y = decades([y for _, y in points])

    def at(x: float, y: float) -> Point:
        share_x = (math.log10(x) - lowest_x) / (highest_x - lowest_x)
        share_y = (math.log10(y) - lowest_y) / (highest_y - lowest_y)
        return LEFT + share_x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share_y * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(LEFT, 24, title, size=15),
    ]
    for power in range(lowest_x, highest_x + 1):
        (x, low), (_, high) = at(10**power, 10**lowest_y), at(10**power, 10**highest_y)
        parts += [line(x, low, x, high), text(x, low + 18, f"{10**power:,}", "middle")]
    for power in range(lowest_y, highest_y + 1):
        (left, y), (right, _) = at(10**lowest_x, 10**power), at(10**highest_x, 10**power)
        parts += [line(left, y, right, y), text(left - 8, y + 4, f"{10.0**power:,.10g}", "end")]
    parts += [text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, across, "middle"), text(12, TOP - 10, up)]
    parts += named({name: [at(*point) for point in curve] for name, curve in curves.items()})
    return "\n".join([*parts, "</svg>", ""])


def named(curves: Mapping[str, Sequence[Point]]) -> list[str]:
    """The lines, and each one's name beside its end, moved down where it would lie on another's."""
    colours = dict(zip(curves, COLOURS, strict=False))
    parts, last = [], 0.0
    for name, places in sorted(curves.items(), key=lambda item: item[1][-1][1]):
        colour = colours[name]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        last = max(places[-1][1] + 4, last + APART)
        parts.append(text(WIDTH - RIGHT + 10, last, name, colour=colour))
    return parts


def decades(values: Sequence[float]) -> tuple[int, int]:
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return lowest, max(highest, lowest + 1)


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#d1d5db"/>'


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#111827", size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-size="{size}">{escape(words)}</text>'
