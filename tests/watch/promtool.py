"""Prometheus' own tool, out of Debian's package. The package itself is not installed: it would start a server."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from cached import cache, locked


def promtool() -> Path | None:
    """The program; fetched once where this machine lacks it, None where apt cannot bring it."""
    installed = shutil.which("promtool")
    folder = cache() / "promtool"
    made = folder / "usr/bin/promtool"
    if installed or made.exists():
        return Path(installed or made)
    if os.geteuid() or not shutil.which("apt-get"):
        return None
    with locked(cache() / "promtool.lock"):
        if not made.exists():
            _fetch(folder)
    return made


def _fetch(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "download", "-q", "prometheus"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", package.name, "."], cwd=folder, check=True)
    package.unlink()
    shutil.rmtree(folder / "usr/share")
