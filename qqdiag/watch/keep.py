"""The folder of a watcher: a capture, a report and the report's numbers for each failure, and no more than fits.

Only files that are named as these are count, and are removed, the oldest first.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from qqdiag import capture
from qqdiag.errors import QqdiagError, UsageError
from qqdiag.finding import Diagnosis
from qqdiag.model import Say, Word
from qqdiag.output import is_left_behind, write_private
from qqdiag.publish import page
from qqdiag.recording import Recording

# When, in seconds since 1970 (few, where a machine without a clock has just started), who, what.
NAME = re.compile(r"(qqdiag-\d{1,11}-\d+-[a-z0-9-]+)\.(?:qqd|md|json)")
HALF_WRITTEN = re.compile(r"\.qqdiag-\d{1,11}-\d+-.*\.[0-9a-f]{8}")  # output.py's, of a watcher that was killed


class Bounds(NamedTuple):
    """How much a folder may hold."""

    failures: int = 20
    size: int = 500 << 20  # bytes of all files


class Kept(NamedTuple):
    """What was written of one failure; `why` where something could not be."""

    name: Say  # what the names of the files begin with
    capture: Path | None
    report: Path | None
    why: Say | None = None


def keep(folder: Path, recording: Recording, diagnosis: Diagnosis, bounds: Bounds) -> Kept:
    """Write the capture and the report, whatever becomes of the other."""
    snapshot = recording.snapshot
    moment, failure = int(snapshot.wall_time), diagnosis.findings[0].id
    name = Say("qqdiag-{moment}-{pid}-{failure}", moment=moment, pid=snapshot.pid, failure=Word(failure))
    stem = folder / f"qqdiag-{moment}-{snapshot.pid}-{failure}"
    captured, reported, why = stem.with_suffix(".qqd"), stem.with_suffix(".md"), None
    try:
        ready(folder)
        make_room(folder, bounds)
        write_private(reported, page(snapshot, diagnosis, "md").encode())
        write_private(stem.with_suffix(".json"), page(snapshot, diagnosis, "json").encode())
    except (QqdiagError, OSError) as error:
        why = _why(error)
    try:
        capture.write(captured, recording)
    except (QqdiagError, OSError) as error:
        why = _why(error)
    return Kept(name, _if_there(captured), _if_there(reported), why)


def ready(folder: Path) -> None:
    """Make the folder, for its owner alone, and remove what a killed watcher left. UsageError where that cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in [entry for entry in folder.iterdir() if HALF_WRITTEN.fullmatch(entry.name)]:
            if is_left_behind(path):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            Say("the folder cannot be made (error {number})", number=error.errno or 0),
            Say("give --folder one that you may write to"),
        ) from error


def make_room(folder: Path, bounds: Bounds) -> None:
    """Remove the oldest failures until one more fits; the newest one stays, whatever its size.

    What is of the future was written while the clock was ahead, and is older than what was written since.
    """
    stems, now = _failures(folder), time.time()
    while len(stems) > 1 and (len(stems) >= bounds.failures or sum(map(sum, stems.values())) > bounds.size):
        oldest = min(stems, key=lambda stem: (_moment(stem) <= now, _moment(stem), stem))
        del stems[oldest]
        for path in [entry for entry in folder.iterdir() if _stem(entry) == oldest]:
            path.unlink(missing_ok=True)


def _failures(folder: Path) -> dict[str, list[int]]:
    """By stem, which begins with the time: the sizes of its files."""
    found: dict[str, list[int]] = {}
    for path in folder.iterdir():
        stem = _stem(path)
        if stem:
            found.setdefault(stem, []).append(path.lstat().st_size)
    return found


def _stem(path: Path) -> str:
    match = NAME.fullmatch(path.name)
    return match[1] if match else ""


def _moment(stem: str) -> int:
    return int(stem.split("-")[1])


def _if_there(path: Path) -> Path | None:
    return path if os.path.exists(path) else None


def _why(error: QqdiagError | OSError) -> Say:
    if isinstance(error, QqdiagError):
        return error.message
    return Say("the folder cannot be used (error {number})", number=error.errno or 0)
