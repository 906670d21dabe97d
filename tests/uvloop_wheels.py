"""uvloop for the CPythons of the tests: its wheels, each unpacked in a folder of the tests' cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import debian_unstable
from cached import cache, locked
from interpreters import Interpreter

REQUIREMENT = "uvloop==0.23.0"
MARKER = "qqdiag-complete"  # written last: a folder without it is half made


class NotMade(Exception):
    """It cannot be made here; the message says what to do."""


def environment(python: Interpreter) -> dict[str, str]:
    """The environment in which that interpreter finds uvloop."""
    version = "{}.{}".format(*python.version)
    chrooted = python.name in debian_unstable.VERSIONS and "launchers" in python.path.parts
    home = debian_unstable.root() if chrooted else Path("/")
    folder = home / "opt" / "qqdiag-uvloop" / version if chrooted else cache() / f"uvloop-python-{version}"
    with locked(cache() / f"uvloop-{version}{'-chroot' if chrooted else ''}.lock"):
        if not is_complete(folder):
            make(folder, version)
    return {**os.environ, "PYTHONPATH": f"/{folder.relative_to(home)}"}


def is_complete(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.exists() and marker.read_text() == REQUIREMENT


def make(folder: Path, version: str) -> None:
    options = ["--no-deps", "--only-binary=:all:", "--python-version", version, "--upgrade", "--target", str(folder)]
    command = [sys.executable, "-m", "pip", "install", "-q", *options, REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-5:])
        raise NotMade(f"make a package index available: {' '.join(command)} failed:\n{said}")
    (folder / MARKER).write_text(REQUIREMENT)
