"""The CPythons of this machine: what the tests run their targets on. Plain functions, found once a process."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import debian_unstable
import pytest

WANTED = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "debian")
CURE = {
    "3.9": "install CPython 3.9: pyenv install 3.9",
    "3.10": "install CPython 3.10: pyenv install 3.10",
    "3.11": "install CPython 3.11: pyenv install 3.11",
    "3.12": "install CPython 3.12: pyenv install 3.12",
    "3.13": "install CPython 3.13: pyenv install 3.13",
    "3.14": "install CPython 3.14: pyenv install 3.14, or as root apt-get install debootstrap",
    "3.15": "install CPython 3.15: pyenv install 3.15, or as root apt-get install debootstrap",
    "debian": "install Debian's CPython: apt-get install python3",
}
ASK = """
import sys
print("{}.{}.{}".format(*sys.version_info), "libpython" not in open("/proc/self/maps").read())
print(sys._base_executable)
"""


@dataclass(frozen=True)
class Interpreter:
    """One CPython: its executable (no pyenv shim), its version as numbers, and whether libpython is linked into it."""

    name: str  # one of WANTED
    path: Path
    version: tuple[int, int, int]
    static: bool

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version))} ({self.name}{', static' if self.static else ''})"


INTERPRETER = "interpreter"  # key of a user property: it travels from a pytest-xdist worker with the report


def ran_on(node: pytest.Item, interpreter: Interpreter) -> None:
    """Notes that a test ran on it, for the table at the end."""
    node.user_properties.append((INTERPRETER, str(interpreter)))


@functools.cache
def find(name: str) -> Interpreter | None:
    """The first candidate that runs and is of that version; None when the machine has none (then see `CURE`)."""
    for path in candidates(name):
        found = ask(name, path)
        if found is not None and (name == "debian" or "{}.{}".format(*found.version) == name):
            return found
    return unstable(name) if name in debian_unstable.VERSIONS else None


@functools.cache
def unstable(name: str) -> Interpreter | None:
    """Debian's newest CPythons, and with `-dbg` their debug builds. They run under another root, where there is no
    /proc to ask: all of Debian's are static."""
    try:
        path = debian_unstable.launcher(name)
    except debian_unstable.NotMade as error:
        CURE[name] = f"{CURE[name.removesuffix('-dbg')]} ({error})"
        return None
    asked = [path, "-I", "-c", "import sys; print('{}.{}.{}'.format(*sys.version_info))"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)
    return Interpreter(name, path, numbers(told.stdout), True)


def candidates(name: str) -> list[Path]:
    """From PATH, pyenv and uv, in this order; Debian's own never stands for a version, it has its own name."""
    if name == "debian":
        return [Path("/usr/bin/python3")] if Path("/etc/debian_version").exists() else []
    on_path = shutil.which(f"python{name}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    uv = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "uv" / "python"
    built = [*pyenv.glob(f"{name}.*/bin/python{name}"), *uv.glob(f"cpython-{name}.*/bin/python{name}")]
    return [*([Path(on_path)] if on_path else []), *sorted(built, reverse=True)]


def ask(name: str, path: Path) -> Interpreter | None:
    """What the candidate says of itself. A pyenv shim of a version that is not enabled fails, and is passed over."""
    told = subprocess.run(
        [path, "-I", "-c", ASK],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if told.returncode:
        return None
    facts, executable = told.stdout.splitlines()
    version, static = facts.split()
    if name != "debian" and Path(executable).resolve().parent == Path("/usr/bin"):
        return None
    return Interpreter(name, Path(executable), numbers(version), static == "True")


def numbers(version: str) -> tuple[int, int, int]:
    major, minor, micro = (int(part) for part in version.split("."))
    return major, minor, micro
