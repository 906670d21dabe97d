"""Runbooks: one Markdown file a signature, with its facts in a front matter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath

from qqdiag.errors import UsageError, meant
from qqdiag.model import Say, Word

PAGES = {"decision-tree": "README.md", "first-five-minutes": "first-five-minutes.md"}
HEADINGS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Fix", "Confirm")


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook: the front matter's lines, and the text below it."""

    id: str
    severity: str
    upstream: tuple[str, ...]  # threads that report it, as owner/repository#number
    fixed_in: str
    fixes: tuple[str, ...]  # names of reference fixes
    text: str


def runbook(id: str) -> str:
    """The text of a runbook or of a page, to print. UsageError when there is none for this id."""
    return page(id) if id in PAGES else load(id).text


def page(name: str) -> str:
    """The text of a page that belongs to no failure alone: `decision-tree` or `first-five-minutes`."""
    return (_folder() / PAGES[name]).read_text("utf-8")


def load(id: str) -> Runbook:
    """A runbook with its front matter. UsageError when there is none for this id."""
    if id not in runbooks():
        known = (*runbooks(), *PAGES)
        raise UsageError(
            Say("there is no runbook {id}", id=Word(id)), meant(id, known, Say("list them: qqdiag signatures"))
        )
    head, _, text = (_folder() / f"{id}.md").read_text("utf-8").removeprefix("---\n").partition("---\n")
    facts = {key: value.strip() for key, _, value in (line.partition(":") for line in head.splitlines())}
    return Runbook(
        id=facts["id"],
        severity=facts["severity"],
        upstream=_words(facts["upstream"]),
        fixed_in=facts["fixed-in"],
        fixes=_words(facts["fixes"]),
        text=text.lstrip("\n"),
    )


def runbooks() -> tuple[str, ...]:
    """The ids of all runbooks."""
    return tuple(sorted(path.stem for path in _folder().glob("*.md") if path.name not in PAGES.values()))


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _folder() -> FilePath:
    """In a wheel they lie in the package; in a checkout, and so in an editable install, beside it."""
    package = FilePath(__file__).parent
    inside = package / "runbooks"
    return inside if inside.is_dir() else package.parent / "runbooks"
