"""A copy of the real gateway's package with the diff of `qqdiag fixes diff` applied."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from hermes_contract import Subject
from hermes_patient import Patient

ADAPTER = Path("gateway/platforms/qqbot/adapter.py")
# Shorter waits, as compress/ has them for the gateway's own: the fixes' code is as it was written.
SHORTER = {"CLOSE_DEADLINE_SECONDS": 1.0, "READY_DEADLINE_SECONDS": 3.0}


def packages_of(python: Path) -> Path:
    """The folder that `gateway` is installed in."""
    (found,) = python.parent.parent.glob("lib/python3*/site-packages")
    return found


def patched(python: Path, folder: Path, *only: str) -> Path:
    """The Python of a copy of a virtual environment, the diff applied to it as an operator would.

    :param only: fixes; without one, all that it lacks
    """
    copied = copy_of(python, folder)
    packages = packages_of(copied)
    command = [sys.executable, "-P", "-m", "qqdiag", "fixes", "diff", str(packages / ADAPTER)]
    for fix in only:
        command += ["--only", fix]
    diff = subprocess.run(command, capture_output=True, check=True, timeout=300).stdout
    subprocess.run(["patch", "-p1", "--fuzz=0"], cwd=packages, input=diff, check=True, capture_output=True)
    shorten(packages / ADAPTER, is_whole=not only)
    return copied


def copy_of(python: Path, folder: Path) -> Path:
    """The environment's files linked into another folder; `patch` writes a new file and leaves the linked one alone."""
    shutil.copytree(python.parent.parent, folder, symlinks=True, copy_function=link_or_copy)
    script = folder / "bin" / "hermes"
    text = script.read_text().replace(str(python.parent.parent), str(folder))
    script.unlink()
    script.write_text(text)
    script.chmod(0o755)
    return folder / "bin" / python.name


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def shorten(adapter: Path, *, is_whole: bool) -> None:
    text = adapter.read_text("utf-8")
    for name, seconds in SHORTER.items():
        text, count = re.subn(rf"^{name} = [0-9.]+", f"{name} = {seconds}", text, flags=re.MULTILINE)
        assert count == 1 or not is_whole, name
    adapter.unlink()
    adapter.write_text(text, "utf-8")


def subject_of(patient: Patient) -> Subject:
    """A turn of its agent takes 5 s: it waits for a stream that this platform has not (run.py, `stream_task`)."""
    return Subject(patient.gateway.process, patient.server, "/whoami", "User ID: `{user}`")
