"""The measured numbers, one file for each minor version: `v3_12.py` holds `LAYOUT`. A new file is a new version."""

from __future__ import annotations

import importlib
import pkgutil

from qqdiag.cpython.layout import Layout


def versions() -> list[tuple[int, int]]:
    """The minor versions that have a layout, oldest first."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted((int(major), int(minor)) for major, minor in (name[1:].split("_") for name in names))


def layout(version: tuple[int, int]) -> Layout | None:
    """The layout of a minor version, None when it has no file."""
    if version not in versions():
        return None
    found = importlib.import_module(f"{__name__}.v{version[0]}_{version[1]}").LAYOUT
    assert isinstance(found, Layout)
    return found
