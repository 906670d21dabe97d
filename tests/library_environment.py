"""The virtual environment of the libraries whose waits the reader follows to their sockets: made once in the cache."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import interpreters
from cached import cache, locked

REQUIREMENTS = (
    "aiohttp==3.14.5",
    "anyio==4.16.0",
    "asyncpg==0.32.0",
    "discord.py==2.7.1",
    "httpx==0.28.1",
    "redis==8.1.0",
    "websockets==17.4",
)
PYTHON = "3.12"
MARKER = "qqdiag-complete"  # written last: a folder without it is half made


class NotMade(Exception):
    """It cannot be made here; the message says what to do."""


def python() -> Path:
    """Its Python."""
    folder = cache() / f"libraries-python-{PYTHON}"
    with locked(folder.parent / f"{folder.name}.lock"):
        if not is_complete(folder):
            make(folder)
    return folder / "bin" / "python"


def is_complete(folder: Path) -> bool:
    marker, executable = folder / MARKER, folder / "bin" / "python"
    if not marker.exists() or marker.read_text().split() != list(REQUIREMENTS) or not executable.exists():
        return False
    return subprocess.run([executable, "-c", ""], check=False).returncode == 0


def make(folder: Path) -> None:
    base = interpreters.find(PYTHON)
    if base is None:
        raise NotMade(interpreters.CURE[PYTHON])
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [base.path, "-m", "venv", folder],
        [folder / "bin" / "python", "-m", "pip", "install", "-q", *REQUIREMENTS],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = "\n".join(done.stderr.splitlines()[-5:])
            raise NotMade(f"make a package index available: {' '.join(map(str, command))} failed:\n{last}")
    (folder / MARKER).write_text("\n".join(REQUIREMENTS))
