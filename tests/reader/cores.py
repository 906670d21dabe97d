"""Makes core files: by gcore, by the kernel, and by hand out of the pages of a live process."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from patients import Patient

from qqdiag.memory.live import PAGE
from qqdiag.memory.source import Region

PATTERN = Path("/proc/sys/kernel/core_pattern")
NT_PRSTATUS, NT_PRPSINFO, NT_FILE = 1, 3, 0x46494C45


def by_gcore(patient: Patient, folder: Path) -> Path:
    subprocess.run(["gcore", "-o", str(folder / "gcore"), str(patient.pid)], check=True, capture_output=True)
    return folder / f"gcore.{patient.pid}"


def allow() -> None:
    """Run in a child before its program: it may leave a core."""
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def by_kernel(patient: Patient, folder: Path) -> Path:
    """End the process, which was started in `folder`; the kernel puts the core there."""
    os.kill(patient.pid, signal.SIGABRT)
    patient.process.wait()
    (found,) = folder.glob("core*")
    return found


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
