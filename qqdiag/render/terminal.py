"""The report for a person: the verdict first and last, coloured on a terminal, plain text in a pipe."""

from __future__ import annotations

import textwrap
from typing import Any

from qqdiag.redact import Redacted, text_of
from qqdiag.render.footer import LOG_TEXT, footer
from qqdiag.render.lines import Styled, one_line, section_lines
from qqdiag.report.document import Mark

PRIVATE = "PRIVATE: holds values that identify people and may open accounts; do not post it"
_STYLES: dict[Mark, dict[str, Any]] = {
    Mark.PLAIN: {},
    Mark.BAD: {"fg": "red", "bold": True},
    Mark.WARN: {"fg": "yellow"},
    Mark.GOOD: {"fg": "green", "bold": True},
    Mark.DIM: {"dim": True},
    Mark.STRONG: {"bold": True},
}


def lines(redacted: Redacted) -> list[Styled]:
    """Every line of the report, top to bottom."""
    verdict = one_line(redacted.report.verdict)
    out = [Styled(PRIVATE, Mark.BAD, 0)] if redacted.raw else []
    out += [Styled(LOG_TEXT, Mark.BAD, 0)] if redacted.log_text else []
    out.append(verdict)
    for section in redacted.report.sections:
        out += [Styled("", Mark.PLAIN, 0), Styled(text_of(section.title), Mark.STRONG, 0)]
        out += [Styled(f"  {line.text}", line.mark, line.hang + 2) for line in section_lines(section)]
    out += [Styled("", Mark.PLAIN, 0), *(Styled(line, Mark.DIM, 2) for line in footer(redacted))]
    return [*out, Styled("", Mark.PLAIN, 0), verdict]


def text(redacted: Redacted) -> str:
    """The report as plain text, lines as long as they are."""
    return "".join(f"{line.text}\n" for line in lines(redacted))


def wrapped(line: Styled, width: int) -> list[Styled]:
    """A line cut to the width of a terminal, what follows indented below it."""
    if len(line.text) <= width:
        return [line]
    hang = " " * min(line.hang, width // 2)
    parts = textwrap.wrap(line.text, width, subsequent_indent=hang, drop_whitespace=True, replace_whitespace=False)
    return [Styled(part, line.mark, line.hang) for part in parts]


def coloured(redacted: Redacted, width: int) -> str:
    """The report for a terminal: coloured, and wrapped at its width."""
    from click import style

    return "".join(
        f"{style(part.text, **_STYLES[part.mark])}\n" for line in lines(redacted) for part in wrapped(line, width)
    )
