"""What qqdiag needs to run on the CPythons of Debian's unstable suite, in a folder below their root; and qqdiag there.

`sys.remote_exec` wants both processes to see the same files, so both run below that root, in one mount namespace that
has a /proc there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import debian_unstable
from cached import cache, locked

REQUIREMENTS = (
    "aiohttp==3.14.5",
    "aiomonitor==0.7.1",
    "click==8.5.1",
    "jinja2==3.1.6",
    "msgspec==0.22.0",
    "psutil==7.2.2",
)
VERSION = "3.14"
MARKER = "qqdiag-complete"  # written last: a folder without it is half made
SOURCE = Path(__file__).parents[1]


class NotMade(Exception):
    """It cannot be made here; the message says what to do."""


def libraries() -> str:
    """The folder of the libraries, as it is called below the root."""
    root = debian_unstable.root()
    folder = root / "opt" / "qqdiag-inject" / VERSION
    with locked(cache() / f"inject-{VERSION}-chroot.lock"):
        if not is_complete(folder):
            make(folder)
    return f"/{folder.relative_to(root)}"


def is_complete(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.exists() and marker.read_text().split() == list(REQUIREMENTS)


def make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--only-binary=:all:", "--python-version", VERSION, "--target", str(folder)]
    command = [sys.executable, "-m", "pip", "install", "-q", *options, *REQUIREMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-5:])
        raise NotMade(f"make a package index available: {' '.join(command)} failed:\n{said}")
    (folder / MARKER).write_text("\n".join(REQUIREMENTS))


@contextmanager
def inside() -> Iterator[list[str]]:
    """The words that run a command below the root, where /proc is that of this machine."""
    root = str(debian_unstable.root())
    mount = ["unshare", "--mount", "sh", "-c", 'mount -t proc proc "$0/proc" && echo && exec cat', root]
    with subprocess.Popen(mount, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n"
        try:
            yield ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "chroot", root]
        finally:
            holder.kill()


@contextmanager
def copied(folder: Path) -> Iterator[dict[str, str]]:
    """The variables with which a Python below the root runs `-m qqdiag`: the checkout lies there as `folder`."""
    below = debian_unstable.root() / str(folder).lstrip("/")
    try:
        for name in ("qqdiag", "runbooks"):
            shutil.copytree(SOURCE / name, below / name, ignore=shutil.ignore_patterns("__pycache__"))
        yield {"PYTHONPATH": f"{folder}:{libraries()}"}
    finally:
        shutil.rmtree(below, ignore_errors=True)
