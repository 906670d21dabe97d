"""Makes core files: by gcore, by the kernel, and by hand out of the pages of a live process."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from patients import Patient

from qqdiag.errors import NotReadable
from qqdiag.memory.core import CoreMemory
from qqdiag.memory.live import PAGE
from qqdiag.memory.source import Region

PATTERN = Path("/proc/sys/kernel/core_pattern")
NT_PRSTATUS, NT_PRPSINFO, NT_FILE = 1, 3, 0x46494C45
LAUNCHER = """#!/bin/sh
for argument; do
    if [ -f "$argument" ]; then flock "{root}/launchers" cp --parents -u "$argument" "{root}"; fi
done
exec chroot "{root}" env --chdir="{folder}" "/usr/bin/{name}" "$@"
"""


def by_gcore(patient: Patient, folder: Path) -> Path:
    subprocess.run(["gcore", "-o", str(folder / "gcore"), str(patient.pid)], check=True, capture_output=True)
    return folder / f"gcore.{patient.pid}"


def allow() -> None:
    """Run in a child before its program: it may leave a core."""
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class NotHere(Exception):
    """The kernel keeps no core where a test can find it; the message says what to do."""


def check_kernel() -> None:
    """Raises NotHere."""
    pattern = PATTERN.read_text().strip()
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise NotHere("allow core files: ulimit -Hc unlimited")
    if pattern.startswith("|") and not ("systemd-coredump" in pattern and shutil.which("coredumpctl")):
        raise NotHere("let the kernel write cores itself: sysctl kernel.core_pattern=core")
    if not pattern.startswith("|") and "%" in str(Path(pattern).parent):
        raise NotHere("let the kernel write cores into one folder: sysctl kernel.core_pattern=core")


def by_kernel(patient: Patient, folder: Path, root: Path = Path("/")) -> Path:
    """End the process, which was started in `folder` and has `root` for its own; the kernel's core of it."""
    os.kill(patient.pid, signal.SIGABRT)
    return kept_by_kernel(patient, folder, root)


def kept_by_kernel(patient: Patient, folder: Path, root: Path = Path("/")) -> Path:
    """The kernel's core of a process that ends by a signal."""
    patient.process.wait()
    pattern = PATTERN.read_text().strip()
    if pattern.startswith("|"):
        subprocess.run(["coredumpctl", "dump", str(patient.pid), "-o", str(folder / "core")], check=True)
        return folder / "core"
    place = root / pattern.lstrip("/") if pattern.startswith("/") else folder / pattern
    (found,) = [path for path in place.parent.iterdir() if path.is_file() and pid_of(path) == patient.pid]
    return found


def pid_of(path: Path) -> int | None:
    """Of the process that a core is of; None of anything else."""
    with path.open("rb") as file:
        try:
            return CoreMemory(file.fileno(), path.stat().st_size).told.pid
        except NotReadable:
            return None


@contextlib.contextmanager
def place(python: Path, folder: Path) -> Iterator[tuple[Path, Path, Path]]:
    """(an interpreter that works in a folder of its own, this folder, its root): `python` in `folder`, or where it
    runs under another root (debian_unstable.py) in a folder below that."""
    root = python.parents[1]
    if python.parent.name != "launchers":
        yield python, folder, Path("/")
        return
    with tempfile.TemporaryDirectory(dir=root / "tmp") as inner:
        launcher = folder / "launcher"
        launcher.write_text(LAUNCHER.format(root=root, folder=f"/tmp/{Path(inner).name}", name=python.name))
        launcher.chmod(0o755)
        yield launcher, Path(inner), root


def by_hand(pages: Mapping[int, bytes], regions: Sequence[Region]) -> bytes:
    """A core that has just these pages: each run of them a segment, that is longer in memory than in the file.

    The highest addresses, where the libraries are, come first in the file.
    """
    runs: list[list[int]] = []
    for start in sorted(pages):
        if runs and runs[-1][-1] + PAGE == start:
            runs[-1].append(start)
        else:
            runs.append([start])
    notes = _notes(regions)
    at = 64 + 56 * (len(runs) + 1) + len(notes) + PAGE & -PAGE
    table = struct.pack("<IIQQQQQQ", 4, 0, 64 + 56 * (len(runs) + 1), 0, 0, len(notes), 0, 4)
    body = b""
    for run in reversed(runs):
        size = len(run) * PAGE
        table += struct.pack("<IIQQQQQQ", 1, 6, at + len(body), run[0], 0, size, size + 8, PAGE)
        body += b"".join(pages[start] for start in run)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, len(runs) + 1, 64, 0, 0)
    return (header + table + notes).ljust(at, b"\0") + body


def _notes(regions: Sequence[Region]) -> bytes:
    files = [region for region in regions if region.path.startswith("/")]
    rows = b"".join(struct.pack("<QQQ", row.start, row.end, row.offset // PAGE) for row in files)
    paths = b"".join(row.path.encode() + b"\0" for row in files)
    status = struct.pack("<iiiH", 0, 0, 0, 6).ljust(336, b"\0")
    info = struct.pack("<4xI8xIIiiii", 0, 0, 0, 4242, 1, 1, 1)[:40].ljust(56, b"\0") + b"python gateway".ljust(
        80, b"\0"
    )
    listed = struct.pack("<QQ", len(files), PAGE) + rows + paths
    return b"".join(
        struct.pack("<III", 5, len(data), kind) + b"CORE\0\0\0\0" + data.ljust(len(data) + 3 & -4, b"\0")
        for kind, data in ((NT_PRSTATUS, status), (NT_PRPSINFO, info), (NT_FILE, listed))
    )
