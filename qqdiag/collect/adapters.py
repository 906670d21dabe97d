"""Platform adapters that a profile knows by their type: the attributes that it names."""

from __future__ import annotations

from collections.abc import Sequence

from qqdiag.collect.websockets import is_websocket
from qqdiag.cpython.chains import type_name
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import printable
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import CodePath, Name, Word
from qqdiag.profiles import AdapterShape, Profile
from qqdiag.snapshot import Adapter, Attribute, Method
from qqdiag.versions import known


def shape_of(info: TypeInfo, profiles: Sequence[Profile]) -> tuple[Profile, AdapterShape] | None:
    """The profile and shape that fit a type or one that it derives from."""
    for profile in profiles:
        for shape in profile.adapters:
            if _fits(info, shape):
                return profile, shape
    return None


def _fits(info: TypeInfo, shape: AdapterShape) -> bool:
    if shape.base:
        return shape.base in info.bases and shape.type_name in ("", info.qualname)
    return f"{shape.module}.{shape.type_name}" in info.bases


def read(runtime: Runtime, address: int, profiles: Sequence[Profile]) -> Adapter:
    """The adapter at `address`. Unreadable, KeyError never: an attribute that is not there is `present=False`."""
    info = runtime.objects.type_of(address)
    profile, shape = shape_of(info, profiles) or _no_shape(info)
    own = runtime.objects.attributes(address)
    rows = [_attribute(runtime, word, _at(runtime, own, path)) for word, path in shape.attributes.items()]
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
        methods=_methods(runtime, info, profile, shape),
    )


def _at(runtime: Runtime, own: dict[str, int], path: str) -> int | None:
    """The value at the end of a path of attributes."""
    first, *rest = path.split(".")
    here = own.get(first)
    for name in rest:
        here = runtime.objects.attribute(here, name) if here else None
    return here


def _methods(runtime: Runtime, info: TypeInfo, profile: Profile, shape: AdapterShape) -> list[Method]:
    """Those that are asked for, as its class and the classes that it derives from have them, the nearest first."""
    source = known(profile.id, shape.platform)
    found: dict[str, Method] = {}
    for pointer in info.ancestors if source is not None else ():
        assert source is not None
        try:
            namespace = runtime.objects.read_word(pointer + runtime.layout.type_dict)
            own = runtime.objects.select(namespace, source.methods) if namespace else {}
        except Unreadable:
            continue
        for name in source.methods:
            method = _method(runtime, name if name not in found else f"base.{name}", own.get(name))
            if method is not None:
                found.setdefault(method.name.reveal(), method)
    return list(found.values())


def _method(runtime: Runtime, name: str, value: int | None) -> Method | None:
    """Where the source of a plain function lies; None for anything else."""
    try:
        if value is None or runtime.objects.type_of(value).dotted != "builtins.function":
            return None
        code = runtime.codes.at(runtime.objects.read_word(value + runtime.layout.function_code))
    except Unreadable:
        return None
    function = printable(code.qualname.reveal().rpartition(".")[2])
    return Method(name=Name(name), function=Name(function), path=CodePath(printable(code.path)), line=code.first_line)


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
