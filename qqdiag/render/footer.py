"""What a page says of itself: what is masked, what was left out, how it was searched, what is still visible."""

from __future__ import annotations

from qqdiag.redact import Redacted, text_of

LOG_TEXT = "It holds log lines: names and words of people may be among them. Read it before you post it."
_VISIBLE = "versions, times, ports, code paths and names, which platforms are configured"


def footer(redacted: Redacted) -> list[str]:
    """One sentence a line."""
    if redacted.raw:
        return ["Nothing is masked."]
    masked = ", ".join(f"{count} of class {name}" for name, count in sorted(redacted.masked.items())) or "nothing"
    lines = [f"Masked: {masked}.", f"Still visible: {_VISIBLE}."]
    if redacted.dropped:
        lines.append(f"Left out with --drop: {', '.join(text_of(section) for section in redacted.dropped)}.")
    if redacted.searched:
        lines.append(f"Searched before it was written: {redacted.searched} private values, none is in it.")
    return lines
