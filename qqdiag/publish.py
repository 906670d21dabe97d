"""The arrow's end: a diagnosis becomes the text of one format, looked through before anybody sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qqdiag.collect.settings import private_values
from qqdiag.find import runs
from qqdiag.finding import Diagnosis
from qqdiag.model import Word
from qqdiag.profiles import profiles
from qqdiag.redact import RULE, Privacy, Redacted
from qqdiag.redact.known import known_of
from qqdiag.redact.private_values import Private
from qqdiag.redact.selfcheck import rendered
from qqdiag.render import issue, jsonout, markdown, terminal
from qqdiag.snapshot import Snapshot


def _html(redacted: Redacted) -> str:
    from qqdiag.render import html  # jinja2 takes 60 ms to import

    return html.text(redacted)


FORMS: dict[str, Callable[[Redacted], str]] = {
    "json": jsonout.text,
    "md": markdown.text,
    "html": _html,
    "text": terminal.text,
    "issue": issue.text,
}


def page(
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    form: str,
    raw: bool = False,
    width: int = 0,
    privacy: Privacy = RULE,
) -> str:
    """The text in the format `form` (a key of `FORMS`); with a `width`, coloured and wrapped for a terminal.

    Raises LeakRefused when it would hold a private value.
    """
    render = FORMS[form]
    if form == "text" and width:
        render = lambda redacted: terminal.coloured(redacted, width)  # noqa: E731
    also = _known(snapshot.pid) if snapshot.origin == Word("live") and not raw else ()
    return rendered(render, snapshot, diagnosis, raw, also, facts=form in ("json", "issue"), privacy=privacy)


def _known(pid: int) -> Iterator[Private]:
    """What stands in no snapshot: environment and arguments as they are, and the values of its settings files."""
    yield from known_of(pid)
    for profile in profiles():
        if runs(pid, profile):
            yield from (Private(value.reveal(), "Secret", "settings") for value in private_values(pid, profile))
