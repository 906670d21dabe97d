"""Platform adapters that a profile knows by their type: the attributes that it names."""

from __future__ import annotations

from collections.abc import Sequence

from qqdiag.collect.websockets import is_websocket
from qqdiag.cpython.chains import type_name
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.model import Word
from qqdiag.profiles import AdapterShape, Profile
from qqdiag.snapshot import Adapter, Attribute


def shape_of(info: TypeInfo, profiles: Sequence[Profile]) -> tuple[Profile, AdapterShape] | None:
    """The profile and shape that fit a type or one that it derives from."""
    for profile in profiles:
        for shape in profile.adapters:
            if f"{shape.module}.{shape.type_name}" in info.bases:
                return profile, shape
    return None


def read(runtime: Runtime, address: int, profiles: Sequence[Profile]) -> Adapter:
    """The adapter at `address`. Unreadable, KeyError never: an attribute that is not there is `present=False`."""
    info = runtime.objects.type_of(address)
    profile, shape = shape_of(info, profiles) or _no_shape(info)
    own = runtime.objects.attributes(address)
    rows = [_attribute(runtime, word, own.get(name)) for word, name in shape.attributes.items()]
    held = {row.name.reveal(): row.address for row in rows if row.address is not None}
    return Adapter(
        profile=Word(profile.id),
        platform=Word(shape.platform),
        type=type_name(info),
        address=address,
        attributes=rows,
        websocket=_if(runtime, held.get("websocket"), websocket=True),
        listener=_if(runtime, held.get("listener"), websocket=False),
        heartbeat=_if(runtime, held.get("heartbeat"), websocket=False),
    )


def _no_shape(info: TypeInfo) -> tuple[Profile, AdapterShape]:
    raise LookupError(info.dotted)


def _attribute(runtime: Runtime, word: str, value: int | None) -> Attribute:
    """None counts as false, a number or bool as itself, anything else as there."""
    if value is None:
        return Attribute(name=Word(word), present=False)
    objects = runtime.objects
    info, none = objects.type_of(value), objects.is_none(value)
    truth = objects.truth(value)
    return Attribute(
        name=Word(word),
        present=True,
        truth=truth if truth is not None else not none,
        number=None if truth is not None else objects.number(value),
        address=None if none else value,
        type=type_name(info),
    )


def _if(runtime: Runtime, address: int | None, *, websocket: bool) -> int | None:
    """The address when a WebSocket, or a task, is there."""
    if address is None:
        return None
    info = runtime.objects.type_of(address)
    return address if (is_websocket(info) if websocket else info.is_task) else None
