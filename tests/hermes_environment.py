"""The virtual environment of the real hermes-agent: made once in a cache folder, used by every later run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import interpreters
from cached import cache, locked

VERSION = "0.14.0"
# aiohttp is what its extra `messaging` pins; the rest of that extra (other platforms' libraries) is of no use here.
REQUIREMENTS = (f"hermes-agent=={VERSION}", "aiohttp==3.13.3", "httpx")
PYTHON = "3.12"
MARKER = "qqdiag-complete"  # written last: a folder without it is half made


class NotMade(Exception):
    """It cannot be made here; the message says what to do."""


def python() -> Path:
    """Its Python: `QQDIAG_HERMES_PYTHON`, or one of our own cache."""
    given = os.environ.get("QQDIAG_HERMES_PYTHON")
    if given:
        return Path(given)
    folder = cache() / f"hermes-{VERSION}-python-{PYTHON}"
    with locked(folder.parent / f"{folder.name}.lock"):
        if not is_complete(folder):
            make(folder)
    return folder / "bin" / "python"


def is_complete(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.exists() and marker.read_text().split() == list(REQUIREMENTS) and runs(folder / "bin" / "python")


def runs(executable: Path) -> bool:
    """False when the Python that the environment was made from is gone."""
    return executable.exists() and subprocess.run([executable, "-c", ""], check=False).returncode == 0


def make(folder: Path) -> None:
    base = interpreters.find(PYTHON)
    if base is None:
        raise NotMade(interpreters.CURE[PYTHON])
    shutil.rmtree(folder, ignore_errors=True)
    run([str(base.path), "-m", "venv", str(folder)])
    run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *REQUIREMENTS])
    (folder / MARKER).write_text("\n".join(REQUIREMENTS))


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-5:])
        raise NotMade(f"make a network available, or set QQDIAG_HERMES_PYTHON: {' '.join(command)} failed:\n{said}")
