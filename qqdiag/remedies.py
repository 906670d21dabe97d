"""The reference fixes, as the command tells of them: what each does, which failures it ends, the file to copy.

A fix is a file of `qqdiag/fixes` whose docstring begins with its id. The files are read, not imported: they need
aiohttp, which qqdiag does not.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path as FilePath

from qqdiag.errors import UsageError, meant
from qqdiag.explain import load, runbooks
from qqdiag.model import Say, Word

FOLDER = FilePath(__file__).parent / "fixes"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One fix. `ends`: ids of the failures whose runbooks name it; `upstream`: the threads that those name."""

    id: str
    title: str
    text: str  # why it is needed, and what it does instead
    ends: tuple[str, ...]
    upstream: tuple[str, ...]
    source: str


def remedies() -> tuple[Remedy, ...]:
    """Every fix, by its id."""
    found = (_remedy(path) for path in sorted(FOLDER.glob("*.py")))
    return tuple(remedy for remedy in found if remedy is not None)


def remedy(id: str) -> Remedy:
    """The fix with this id. UsageError when there is none."""
    for one in remedies():
        if one.id == id:
            return one
    known = [one.id for one in remedies()]
    raise UsageError(Say("there is no fix {id}", id=Word(id)), meant(id, known, Say("list them: qqdiag fixes list")))


def page(one: Remedy) -> str:
    """All that is known of it, as text."""
    lines = [f"{one.id}: {one.title}", "", one.text, ""]
    lines += [f"Ends: {', '.join(one.ends)} (qqdiag explain ID)"] if one.ends else []
    lines += [f"Reported in: {', '.join(one.upstream)}"] if one.upstream else []
    lines += [f"To copy: qqdiag fixes show {one.id} --source > {one.id.replace('-', '_')}.py"]
    return "\n".join(lines) + "\n"


def _remedy(path: FilePath) -> Remedy | None:
    """None for a file that is part of the adapter and no fix by itself."""
    source = path.read_text("utf-8")
    text = ast.get_docstring(ast.parse(source)) or ""
    head, _, rest = text.partition("\n")
    id, _, title = head.partition(": ")
    if id != path.stem.replace("_", "-") or not title:
        return None
    ends = [load(known) for known in runbooks() if id in load(known).fixes]
    upstream = dict.fromkeys(thread for runbook in ends for thread in runbook.upstream)
    return Remedy(id, title.rstrip("."), rest.strip(), tuple(one.id for one in ends), tuple(upstream), source)
