"""Debian's unstable suite in a folder: it has the CPythons that are too new for every other source of the tests.

Made once, by debootstrap, in the tests' cache folder (about 90 s; root alone can). Its programs run under chroot, so
that what the reader sees of them are paths of another root: the same as with a target in a container.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from cached import cache, locked

SUITE = "unstable"
VERSIONS = ("3.14", "3.15")
PYTHONS = tuple(f"python{version}" for version in VERSIONS)
DEBUG = tuple(f"{python}-dbg" for python in PYTHONS)  # built with --with-pydebug
LIBRARIES = ("python3-aiohttp",)  # for each of the versions
MARKER = "qqdiag-complete"  # written last: a folder without it is half made
# Runs a CPython of the folder as if it were one of this machine: the programs that it is given are copied to the same
# place under the other root.
LAUNCHER = """#!/bin/sh
root=$(dirname "$(dirname "$0")")
for argument; do
    if [ -f "$argument" ]; then flock "$root/launchers" cp --parents -u "$argument" "$root"; fi
done
exec chroot "$root" "/usr/bin/$(basename "$0")" "$@"
"""


class NotMade(Exception):
    """It cannot be made here; the message says what to do."""


def launcher(version: str) -> Path:
    """An executable that stands for the CPython of that minor version, or for its debug build where `-dbg` is behind
    it; its process becomes the interpreter."""
    return root() / "launchers" / f"python{version}"


def root() -> Path:
    """The folder: `QQDIAG_SID_ROOT`, or one of our own cache."""
    given = os.environ.get("QQDIAG_SID_ROOT")
    folder = Path(given).resolve() if given else cache() / f"debian-{SUITE}"
    if os.geteuid() != 0:
        raise NotMade("run the tests as root: they use chroot and debootstrap")
    with locked(folder.parent / f"{folder.name}.lock"):
        if not given and not is_complete(folder):
            make(folder)
        for name in (*PYTHONS, *DEBUG):
            install_launcher(folder / "launchers" / name)
    return folder


def program(name: str) -> list[str]:
    """A command that runs a program of the suite, which is installed on first use. Its root is `root()`."""
    folder = root()
    with locked(folder.parent / f"{folder.name}.lock"):
        if not (folder / "usr/bin" / name).exists():
            quietly = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
            # A mirror may stand still for longer than a list of the suite is good for.
            run(["chroot", str(folder), *quietly, "-o", "Acquire::Check-Valid-Until=false", "update"])
            run(["chroot", str(folder), *quietly, "install", "--no-install-recommends", name])
    return ["chroot", str(folder), name]


def is_complete(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.exists() and marker.read_text().split() == [*PYTHONS, *DEBUG, *LIBRARIES]


def make(folder: Path) -> None:
    if shutil.which("debootstrap") is None:
        raise NotMade("install debootstrap: apt-get install debootstrap")
    run(["rm", "-rf", "--one-file-system", str(folder)])
    run(["debootstrap", "--variant=minbase", f"--include={','.join(PYTHONS)}", SUITE, str(folder), mirror()])
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y", "--no-install-recommends"]
    run(["chroot", str(folder), *quietly, *DEBUG, *LIBRARIES])
    run(["chroot", str(folder), "apt-get", "clean"])
    (folder / MARKER).write_text("\n".join([*PYTHONS, *DEBUG, *LIBRARIES]))


def mirror() -> str:
    """Where this machine itself has Debian from."""
    asked = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"]
    for line in run(asked).splitlines():
        origin, _, address = line.partition(" ")
        if origin == "Debian" and address.startswith("http") and "security" not in address:
            return address
    raise NotMade("name a mirror of Debian in the apt sources of this machine, and run apt-get update")


def install_launcher(path: Path) -> None:
    if path.exists() and path.read_text() == LAUNCHER:  # it may be running: then it cannot be written to
        return
    path.parent.mkdir(exist_ok=True)
    made = path.with_name(f"{path.name}.new")
    made.write_text(LAUNCHER)
    made.chmod(0o755)
    made.replace(path)


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise NotMade(f"make a network available, or set QQDIAG_SID_ROOT: {' '.join(command)} failed:\n{said}")
    return done.stdout
