"""The report for an issue tracker: the verdict on top, the rest folded away.

Everything that comes from the target stands in fenced blocks, whose fence is longer than any run of backticks in
them: nothing in it can mention a user, link an issue, load an image or end the fold.
"""

from __future__ import annotations

import re

from qqdiag.redact import Redacted, Shown, text_of
from qqdiag.render.footer import LOG_TEXT, footer
from qqdiag.render.lines import one_line, section_lines
from qqdiag.render.terminal import PRIVATE
from qqdiag.report.document import Section
from qqdiag.report.order import rank

LONGEST = 60_000  # characters; GitHub refuses bodies over 65,536
_BODY_LINES = 11  # below the verdict's own
_LARGEST = LONGEST // 2  # of one section: so that it does not leave all others out
_RESERVE = 300
_FRAME = 200  # characters around the lines of a fold
_LEAST = 3  # lines that a fold is worth
_ALL = "`--format text` has all."


def text(redacted: Redacted) -> str:
    """The whole page, cut from the bottom where it would be too long."""
    head = ["## qqdiag report\n", _verdict(redacted)]
    if redacted.log_text:
        head.insert(0, f"**{LOG_TEXT}**\n")
    if redacted.raw:
        head.insert(0, f"**{PRIVATE}**\n")
    foot = " ".join(footer(redacted)) + "\n"
    room = LONGEST - _RESERVE - sum(len(part) + 1 for part in (*head, foot))
    below = [section for section in redacted.report.sections if not _is_all_above(section)]
    sections = sorted(below, key=lambda section: rank(section.id))
    return "\n".join([*head, *_folds(sections, room), foot])


def fenced(lines: list[str]) -> str:
    """Lines in a code block that none of them can end."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence]) + "\n"


def _verdict(redacted: Redacted) -> str:
    """At most 12 lines: the verdict and the head of its evidence."""
    lines = [one_line(redacted.report.verdict).text]
    for section in redacted.report.sections:
        if section.id == "evidence":
            body = [line.text for line in section_lines(section)]
            lines += body if _is_all_above(section) else [*body[: _BODY_LINES - 2], "  ...", body[-1]]
    return fenced(lines)


def _is_all_above(section: Section[Shown]) -> bool:
    """Whether the verdict's block has all of it: it is not said again below."""
    return section.id == "evidence" and len(section_lines(section)) <= _BODY_LINES


def _folds(sections: list[Section[Shown]], room: int) -> list[str]:
    """As many as fit, the last of them cut; and how many more there were."""
    folds: list[str] = []
    for position, section in enumerate(sections):
        fold = _fold(section, min(room, _LARGEST))
        if fold is None:
            left = ", ".join(section.id for section in sections[position:])
            folds.append(f"{len(sections) - position} parts left out, the page would be too long: {left}. {_ALL}\n")
            break
        folds.append(fold)
        room -= len(fold) + 1
    return folds


def _fold(section: Section[Shown], room: int) -> str | None:
    """A section of at most `room` characters, cut from its bottom; None where not even its head fits."""
    title = text_of(section.title)
    lines = [line.text for line in section_lines(section)]
    room -= len(title) + _FRAME + 2 * max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    kept, used = 0, 0
    while kept < len(lines) and used + len(lines[kept]) + 1 <= room:
        used += len(lines[kept]) + 1
        kept += 1
    if kept < min(len(lines), _LEAST):
        return None
    if kept < len(lines):
        lines = [*lines[:kept], f"... {len(lines) - kept} lines left out, the page would be too long. {_ALL}"]
    return f"<details><summary>{title}</summary>\n\n{fenced(lines)}\n</details>\n"
