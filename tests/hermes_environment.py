"""The virtual environments of the real hermes-agent: made once in a cache folder, used by every later run.

Each version has its own, with the aiohttp that it pins. What else it needs the later ones take from the first: that
saves two thirds of their installation, and nothing here touches what differs (versions of fastapi, PyJWT and the like).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import interpreters
from cached import cache, locked

VERSION = "0.14.0"
# aiohttp is what its extra `messaging` pins; the rest of that extra (other platforms' libraries) is of no use here.
REQUIREMENTS = (f"hermes-agent=={VERSION}", "aiohttp==3.13.3", "httpx")
LATER = {  # these alone, without what they depend on
    "0.16.0": ("hermes-agent==0.16.0", "aiohttp==3.13.3"),
    "0.19.0": ("hermes-agent==0.19.0", "aiohttp==3.14.1"),
}
VERSIONS = (VERSION, *LATER)
PYTHON = "3.12"
MARKER = "qqdiag-complete"  # written last: a folder without it is half made


class NotMade(Exception):
    """It cannot be made here; the message says what to do."""


def python() -> Path:
    """The Python of the first version: `QQDIAG_HERMES_PYTHON`, or one of our own cache."""
    given = os.environ.get("QQDIAG_HERMES_PYTHON")
    return Path(given) if given else kept(VERSION, REQUIREMENTS, make)


def python_of(version: str) -> Path:
    """The Python that has this version, one of VERSIONS."""
    if version == VERSION:
        return python()
    first = python()
    return kept(version, (*LATER[version], str(first)), lambda folder: make_later(folder, version, first))


def kept(version: str, marks: tuple[str, ...], maker: Callable[[Path], None]) -> Path:
    """The Python in a folder of the cache, made when it is not there or was made for something else."""
    folder = cache() / f"hermes-{version}-python-{PYTHON}"
    with locked(folder.parent / f"{folder.name}.lock"):
        if not is_complete(folder, marks):
            shutil.rmtree(folder, ignore_errors=True)
            maker(folder)
            (folder / MARKER).write_text("\n".join(marks))
    return folder / "bin" / "python"


def is_complete(folder: Path, marks: tuple[str, ...] | None = None) -> bool:
    marker = folder / MARKER
    wanted = "\n".join(REQUIREMENTS if marks is None else marks)
    return marker.exists() and marker.read_text() == wanted and runs(folder / "bin" / "python")


def runs(executable: Path) -> bool:
    """False when the Python that the environment was made from is gone."""
    return executable.exists() and subprocess.run([executable, "-c", ""], check=False).returncode == 0


def make(folder: Path) -> None:
    base = interpreters.find(PYTHON)
    if base is None:
        raise NotMade(interpreters.CURE[PYTHON])
    run([str(base.path), "-m", "venv", str(folder)])
    run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *REQUIREMENTS])


def make_later(folder: Path, version: str, first: Path) -> None:
    """Beside the first: its own packages come before those on the path that the .pth file adds (site.py)."""
    run([str(first), "-m", "venv", "--without-pip", str(folder)])
    executable = str(folder / "bin" / "python")
    run([*pip(first), "--python", executable, "install", "-q", "--no-deps", *LATER[version]])
    (packages(executable) / "first.pth").write_text(f"{packages(str(first))}\n")


def pip(first: Path) -> list[str]:
    """The first environment's own, or ours where that has none."""
    own = subprocess.run([first, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    return [str(first) if own else sys.executable, "-m", "pip"]


def packages(executable: str) -> Path:
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    told = subprocess.run([executable, "-c", question], capture_output=True, text=True, check=True)
    return Path(told.stdout.strip())


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-5:])
        raise NotMade(f"make a network available, or set QQDIAG_HERMES_PYTHON: {' '.join(command)} failed:\n{said}")
