"""The report as one page for a browser: complete in itself, readable without script, nothing loaded from anywhere.

Every text that a template prints goes through `_printed`, which takes public texts and numbers and raises for any
other, and then through the escape. A policy in the page's head lets nothing run but its own style and script, which
it names by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from qqdiag.redact import Redacted, Shown, text_of
from qqdiag.render.footer import footer
from qqdiag.render.graph import picture
from qqdiag.render.plot import drawing
from qqdiag.render.terminal import PRIVATE
from qqdiag.report.document import Block, Line, Section
from qqdiag.report.drawn import Kind, Link
from qqdiag.report.marks import Mark
from qqdiag.report.order import Place, place, rank

_FOLDER: Final = Path(__file__).with_name("pages")


@final
class Ours(str):
    """A text that this package wrote."""

    __slots__ = ()


@final
class Asset(str):
    """The style or the script: it stands in the page as it is in its file."""

    __slots__ = ()


_WORDS: Final = (Mark, Kind, Link, Place)
_FOLDED: Final = (Place.THREADS, Place.CHECKED)


class Part(NamedTuple):
    """A section as the page has it."""

    place: Place
    title: Shown
    blocks: tuple[Block[Shown], ...]
    folded: bool


def text(redacted: Redacted) -> str:
    """The whole page."""
    report = redacted.report
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    parts = [_part(section) for section in sorted(report.sections, key=lambda section: rank(section.id))]
    process = next((part for part in parts if part.place is Place.PROCESS), None)
    next_step = None
    if parts and parts[0].place is Place.EVIDENCE:  # its last line is what to type next
        next_step, parts[0] = parts[0].blocks[-1], parts[0]._replace(blocks=parts[0].blocks[:-1])
    page = _environment().get_template("page.html")
    return page.render(
        private=Ours(PRIVATE) if redacted.raw else None,
        verdict=report.verdict,
        headline=report.headline,
        next=next_step,
        seen=process.blocks[0] if process and process.blocks else None,
        parts=[part for part in parts if part.blocks],
        graph=report.graph,
        picture=picture(report.graph) if report.graph else None,
        plot=report.plot,
        drawing=drawing(report.plot) if report.plot else None,
        footer=[Ours(line) for line in footer(redacted)],
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        is_line=lambda block: isinstance(block, Line),
    )


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printed(value: object) -> str | int:
    """What a template may print. TypeError for anything else: a bare `str`, or text that is said to be safe."""
    kind = type(value)
    if isinstance(value, Shown):
        return text_of(value)
    if kind is int and isinstance(value, int):
        return value
    if isinstance(value, Asset):
        return Markup(value)
    if isinstance(value, Ours):
        return str.__str__(value)
    if isinstance(value, StrEnum) and kind in _WORDS:
        return value.value
    raise TypeError(f"a {kind.__name__} is not public text")


def _part(section: Section[Shown]) -> Part:
    here = place(section.id)
    return Part(here, section.title, section.blocks, here in _FOLDED)


def _asset(name: str) -> Asset:
    return Asset((_FOLDER / name).read_text("utf-8"))


def _hash(asset: Asset) -> Ours:
    """As a Content-Security-Policy names it (CSP level 3, hash-source)."""
    digest = hashlib.sha256(asset.encode("utf-8")).digest()
    return Ours(f"sha256-{base64.b64encode(digest).decode('ascii')}")
