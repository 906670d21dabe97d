"""The measured numbers, one file for each minor version: `v3_12.py` holds `LAYOUT`. A new file is a new version."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path

from qqdiag.cpython.layout import Layout


@functools.cache
def versions() -> tuple[tuple[int, int], ...]:
    """The minor versions that have a layout, oldest first."""
    names = [path.stem[1:].split("_") for path in Path(__file__).parent.glob("v*_*.py")]
    return tuple(sorted((int(major), int(minor)) for major, minor in names))


@functools.cache
def layout(version: tuple[int, int]) -> Layout | None:
    """The layout of a minor version, None when it has no file."""
    if version not in versions():
        return None
    found = importlib.import_module(f"{__name__}.v{version[0]}_{version[1]}").LAYOUT
    assert isinstance(found, Layout)
    return found
