"""The original files that a core leaves pages to, and why some of them do not stand for these pages."""

from __future__ import annotations

from qqdiag.errors import NotReadable
from qqdiag.memory.originals import Originals
from qqdiag.model import Path, Say


def sentences(originals: Originals) -> list[Say]:
    """One for each reason, with how many files it is true of."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in originals.lacking.items():
        by_reason.setdefault(reason, []).append(path)
    return [_sentence(reason, len(paths), Path(sorted(paths)[0])) for reason, paths in sorted(by_reason.items())]


def with_files(error: NotReadable, originals: Originals) -> NotReadable:
    """The refusal, with the files that were not there for it to be otherwise."""
    found = sentences(originals)
    if not found:
        return error
    return NotReadable(
        Say("{why} {file}", why=error.message, file=found[0]),
        Say("say where the files of its process are, as with gdb's sysroot: qqdiag inspect CORE --sysroot FOLDER"),
    )


def _sentence(reason: str, count: int, file: Path) -> Say:
    if reason == "gone":
        return Say(
            "files that the process had mapped are not here ({count}), {file} for one; --sysroot says where they are",
            count=count,
            file=file,
        )
    if reason == "other":
        return Say(
            "files that are not of the build in the core were not used ({count}), {file} for one; "
            "--sysroot says where the others are",
            count=count,
            file=file,
        )
    return Say(
        "the core does not say of which build some files were ({count}): not used, {file} for one",
        count=count,
        file=file,
    )
