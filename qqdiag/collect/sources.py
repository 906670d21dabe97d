"""The source text of the lines that the target stands at, from its own files, for the operator's eyes alone.

Whatever a code object says its file is, a program chose: only regular files called `.py` are opened, below the target's
own root, that the target's user may read himself. A file that was changed after the process began is not its source.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator

from qqdiag.collect import rooted
from qqdiag.cpython.strings import printable
from qqdiag.model import CodePath, FreeText, Missing
from qqdiag.snapshot import Python, Sample, SourceLine

MAX_FILES = 300
MAX_LINES = 2_000
MAX_BYTES = 1 << 21  # of one file
MAX_TEXT = 200  # characters of one line
ROUNDED = 2.0  # seconds by which a file may seem younger than the process: clock ticks, file systems


def collect(pid: int, sample: Sample) -> list[SourceLine]:
    """The lines of all tasks and threads of one sample that could be had, each once."""
    if isinstance(sample.python, Missing) or isinstance(sample.process, Missing):
        return []
    root, uid, began = rooted.root_of(pid), sample.process.uid, time.time() - sample.process.uptime
    wanted: dict[str, set[int]] = {}
    for path, line in list(dict.fromkeys(_places(sample.python)))[:MAX_LINES]:
        wanted.setdefault(path, set()).add(line)
    found: list[SourceLine] = []
    for path, lines in list(wanted.items())[:MAX_FILES]:
        text = text_of(root, path, uid, began)
        found += _lines(path, text, sorted(lines))
    return found


def _places(python: Python) -> Iterator[tuple[str, int]]:
    codes = python.codes
    for task in python.tasks:
        for level in task.chain:
            if level.code is not None and level.line is not None and 0 <= level.code < len(codes):
                yield codes[level.code].path.reveal(), level.line
    for thread in python.threads:
        for frame in thread.frames:
            if frame.line is not None and 0 <= frame.code < len(codes):
                yield codes[frame.code].path.reveal(), frame.line


def text_of(root: str, path: str, uid: int | None, began: float) -> bytes:
    """A file's text; none where it is not the source of what runs, or is not the target's to read."""
    if not path.startswith("/") or not path.endswith(".py"):
        return b""
    try:
        fd = rooted.open_file(root, path)
    except (OSError, ValueError):
        return b""
    try:
        about = os.fstat(fd)
        readable = bool(about.st_mode & stat.S_IROTH) or about.st_uid == uid
        return rooted.read_at(fd, 0, MAX_BYTES) if readable and about.st_mtime <= began + ROUNDED else b""
    except OSError:
        return b""
    finally:
        os.close(fd)


def _lines(path: str, text: bytes, numbers: list[int]) -> Iterator[SourceLine]:
    rows = text.split(b"\n")
    for number in numbers:
        if 0 < number <= len(rows):
            shown = printable(rows[number - 1].decode("utf-8", "replace").strip()[:MAX_TEXT])
            yield SourceLine(path=CodePath(printable(path)), line=number, text=FreeText(shown))
