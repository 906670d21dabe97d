"""The report as an issue: the title and labels to fill in, the threads that it may belong to, and the page itself."""

from __future__ import annotations

from qqdiag.explain import load, runbooks
from qqdiag.redact import Public, Redacted, text_of
from qqdiag.render import markdown

LONGEST_TITLE = 120  # characters


def text(redacted: Redacted) -> str:
    """Lines that say what goes where, then the page. Nothing is sent anywhere."""
    finding = _first(redacted)
    if finding is None:
        head = ["Title: the gateway is silent, and no known failure fits", "Labels: unknown"]
    else:
        id, severity, summary = (_text(finding[key]) for key in ("id", "severity", "summary"))
        head = [f"Title: {_cut(f'{id}: {summary}')}", f"Labels: {severity}, {id}", *_known(id)]
    return "\n".join([*head, "", markdown.text(redacted)])


def _first(redacted: Redacted) -> dict[str, Public] | None:
    findings = redacted.document["findings"]
    first = findings[0] if isinstance(findings, list) and findings else None
    return first if isinstance(first, dict) and first["severity"] != "info" else None


def _text(value: Public) -> str:
    return text_of(value) if isinstance(value, str) else ""


def _cut(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1].rstrip()}…"


def _known(id: str) -> list[str]:
    """Where it was reported, and since when it is mended, by its runbook."""
    if id not in runbooks():
        return []
    runbook = load(id)
    return [f"Known: {', '.join(runbook.upstream) or 'not reported yet'}", f"Fixed in: {runbook.fixed_in}"]
