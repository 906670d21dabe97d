"""The report for an issue tracker: the verdict on top, the rest folded away.

Everything that comes from the target stands in fenced blocks, whose fence is longer than any run of backticks in
them: nothing in it can mention a user, link an issue, load an image or end the fold.
"""

from __future__ import annotations

import re

from qqdiag.redact import Redacted, Shown, text_of
from qqdiag.render.lines import one_line, section_lines
from qqdiag.render.terminal import PRIVATE
from qqdiag.report.document import Section

LONGEST = 60_000  # characters; GitHub refuses bodies over 65,536
_VERDICT_LINES = 12
_FOLDED_FIRST = ("process", "timeline", "tasks", "sockets", "threads", "gateway", "checked", "missing")
_RESERVE = 200


def text(redacted: Redacted) -> str:
    """The whole page, cut from the bottom where it would be too long."""
    parts = ["## qqdiag report\n"]
    if redacted.raw:
        parts.insert(0, f"**{PRIVATE}**\n")
    parts.append(_verdict(redacted))
    sections = sorted(redacted.report.sections, key=_order)
    parts += [_fold(section) for section in sections]
    parts.append(_footer(redacted))
    return _cut(parts)


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
            room = _VERDICT_LINES - 1
            lines += body if len(body) <= room else [*body[: room - 2], "  ...", body[-1]]
    return fenced(lines)


def _fold(section: Section[Shown]) -> str:
    lines = [line.text for line in section_lines(section)]
    title = text_of(section.title)
    return f"<details><summary>{title}</summary>\n\n{fenced(lines)}\n</details>\n"


def _order(section: Section[Shown]) -> int:
    return _FOLDED_FIRST.index(section.id) if section.id in _FOLDED_FIRST else -1


def _footer(redacted: Redacted) -> str:
    if redacted.raw:
        return "Nothing is masked.\n"
    masked = ", ".join(f"{count} of class {name}" for name, count in sorted(redacted.masked.items())) or "nothing"
    return (
        f"Masked: {masked}. Still visible: versions, times, ports, code paths and names, which platforms are "
        "configured. Before it was written, this page was searched for every private value that was seen.\n"
    )


def _cut(parts: list[str]) -> str:
    """Drop folds from the bottom, and say so, until the page fits."""
    head, folds, footer = parts[:-1], [], parts[-1]
    while sum(map(len, head)) + len(footer) + len(head) + _RESERVE > LONGEST and len(head) > 2:
        folds.append(head.pop())
    if folds:
        head.append(f"{len(folds)} parts left out, the page would be too long: `--format text` has them.\n")
    return "\n".join([*head, footer])
