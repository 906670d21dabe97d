"""One failure a file: constants and one pure function `match(view)`. The directory is the registry."""

from __future__ import annotations

import importlib
import pkgutil
from typing import cast

from qqdiag.finding import Signature


def signatures() -> tuple[Signature, ...]:
    """Every signature of this folder, by id. A module is one: no list has to be kept."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(cast(Signature, importlib.import_module(f"{__name__}.{name}")) for name in names)
