"""The verdicts on an adapter, as typed records for the commands to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from qqdiag.model import CodePath, Say, Value, Word
from qqdiag.patch.judged import Judged


class ShownPlace(msgspec.Struct, frozen=True):
    """`line`: 1-based; None where no line is meant."""

    line: int | None
    text: Say


class ShownFix(msgspec.Struct, frozen=True):
    """`verdict`: has, lacks, cannot tell."""

    id: Word
    verdict: Word
    places: list[ShownPlace]


class ShownFixes(msgspec.Struct, frozen=True):
    """What `fixes check --json` prints. `newer_than_process`: None where no process was named."""

    schema_version: int
    file: CodePath
    newer_than_process: bool | None
    fixes: list[ShownFix]


def as_struct(path: CodePath, judged: Mapping[str, Judged], newer: bool | None) -> ShownFixes:
    fixes = [
        ShownFix(
            Word(id), Word(one.verdict.value), [ShownPlace(place.line or None, place.text) for place in one.places]
        )
        for id, one in judged.items()
    ]
    return ShownFixes(1, path, newer, fixes)


def as_rows(shown: ShownFixes) -> list[dict[str, Say | Value | None]]:
    """A line a place: the fix, the verdict, file and line, what is seen there."""
    found = [_row(Word("file"), Word("newer"), shown.file, NEWER)] if shown.newer_than_process else []
    for fix in shown.fixes:
        for place in fix.places or [ShownPlace(None, Say(""))]:
            at = Say("{path}:{line}", path=shown.file, line=place.line) if place.line else shown.file
            found.append(_row(fix.id, fix.verdict, at, place.text))
    return found


NEWER = Say("it was changed after the process began: what runs is what it was before")


def _row(fix: Word, verdict: Word, where: Say | CodePath, what: Say) -> dict[str, Say | Value | None]:
    return {"fix": fix, "verdict": verdict, "where": where, "what": what}


def reasons(refused: Iterable[tuple[str, Say]]) -> list[Say]:
    """Why a fix is not in the diff."""
    return [Say("{id} is not in the diff: {why}", id=Word(id), why=why) for id, why in refused]
