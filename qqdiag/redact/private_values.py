"""Every private value that a diagnosis holds, with its class and the field that it stands in: what is searched for."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import NamedTuple

import msgspec

from qqdiag.model import CodePath, Say, Text
from qqdiag.redact.masked_code import MaskedCode
from qqdiag.redact.texts import private

_PLAIN = frozenset({int, float, str, bool, type(None)})


class Private(NamedTuple):
    """A value that may not be seen, its class, and where it was read."""

    value: str
    kind: str
    source: str


def private_values(*roots: object, mask: MaskedCode | None = None, but: frozenset[Text] = frozenset()) -> list[Private]:
    """Every private text below the given structs, each once, with the field it was read from; `but` these."""
    found: dict[Text, Private] = {}
    judged: set[Text] = set(but)
    met: dict[int, Text] = {}  # by identity: a snapshot of many tasks shares most of its texts
    todo: list[tuple[object, str]] = [(root, "report") for root in roots]
    while todo:
        value, source = todo.pop()
        if isinstance(value, msgspec.Struct):
            todo += _of_struct(value, met)
        elif isinstance(value, list):
            todo += [(item, source) for item in value if type(item) not in _PLAIN and id(item) not in met]
        elif isinstance(value, Text):
            met[id(value)] = value
            if value not in judged:
                judged.add(value)
                if private(value, mask) or isinstance(value, CodePath):
                    found[value] = Private(value.reveal(), type(value).__name__, source)
        elif not isinstance(value, int | float | str | None):
            todo += _of_other(value, source)
    return list(found.values())


def _of_struct(value: msgspec.Struct, met: dict[int, Text]) -> list[tuple[object, str]]:
    """What its fields hold, but for numbers, empty lists and texts that were met."""
    found: list[tuple[object, str]] = []
    for name in value.__struct_fields__:
        inner = getattr(value, name)
        if type(inner) not in _PLAIN and id(inner) not in met and inner != []:
            found.append((inner, f"{type(value).__name__}.{name}"))
    return found


def _of_other(value: object, source: str) -> list[tuple[object, str]]:
    if isinstance(value, tuple):
        return [(item, source) for item in value]
    if isinstance(value, Say):
        return [(inner, source) for inner in value.values.values()]
    kind = type(value).__name__
    if is_dataclass(value):
        return [(getattr(value, field.name), f"{kind}.{field.name}") for field in fields(value)]
    raise TypeError(f"the self-check does not know {kind}")
