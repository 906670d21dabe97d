"""Interpreters that can run the lab's gateway: virtual environments with aiohttp, made once in the tests' cache."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import hermes_environment
import interpreters
import pytest

from qqdiag.lab.control import Server, start_server

REQUIREMENTS = ("aiohttp>=3.12.4", "httpx", "websockets>=15")
IMPORTED = "import aiohttp, httpx, websockets"


@pytest.fixture(params=["3.12", "3.13"])
def gateway_python(request: pytest.FixtureRequest) -> str:
    """A Python of another version than ours may be, with what the gateway needs."""
    return python_of(request.param)


def python_of(version: str) -> str:
    """The Python of the virtual environment of that version, made where it is not there."""
    base = interpreters.find(version)
    if base is None:
        pytest.skip(interpreters.CURE[version])
    folder = hermes_environment.cache() / f"lab-python-{version}"
    with hermes_environment.locked(folder.parent / f"{folder.name}.lock"):
        python = folder / "bin" / "python"
        if not usable(python):
            make(base.path, folder)
    return str(python)


def usable(python: Path) -> bool:
    return python.exists() and not subprocess.run([python, "-c", IMPORTED], capture_output=True).returncode


def make(base: Path, folder: Path) -> None:
    subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *REQUIREMENTS]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"make a package index available: {' '.join(pip)} failed")


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with start_server(tls=request.param, bound=60.0) as running:
        yield running
