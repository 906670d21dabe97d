"""Whether a piece of code receives from a WebSocket: itself, or through methods that it calls.

A listener that spins, or that has failed, shows only its outer frame; the receiving is in a method that it calls, of
its own class or of an object that it keeps (`self.connection.read()`). The names that its code uses are looked up in
both. The answer is an over-estimate: who starts a listener as a task also names it.
"""

from __future__ import annotations

from collections.abc import Iterable

from qqdiag.cpython.objects import Objects
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import RECEIVES

MAX_CODES = 300  # looked at for one question
MAX_NAMES = 1_000


def receives(runtime: Runtime, code: int, classes: Iterable[TypeInfo], own: int = 0) -> bool:
    """Whether the code object at `code` reaches a receive.

    `classes`: those that its own may be among. `own`: the object whose method it is, where there is a frame that tells.
    """
    owner = runtime.codes.at(code).qualname.reveal().rpartition(".")[0]
    known = list(classes)
    methods = _methods(runtime, [info for info in known if info.qualname == owner or owner in _names(info)])
    todo, seen = [(code, own, methods)], set[int]()
    while todo and len(seen) < MAX_CODES:
        here, own, methods = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        used = _used(runtime, here)
        if not RECEIVES.isdisjoint(used):
            return True
        todo += [(methods[name], own, methods) for name in used if name in methods]
        for kept, theirs in _kept(runtime, own, used, known):
            todo += [(theirs[name], kept, theirs) for name in used if name in theirs]
    return False


def _kept(runtime: Runtime, own: int, used: list[str], classes: list[TypeInfo]) -> list[tuple[int, dict[str, int]]]:
    """The objects of such classes in the attributes of `own` that the code uses, each with its methods."""
    pointers = {info.address for info in classes}
    try:
        if not own or runtime.objects.type_of(own).address not in pointers:
            return []
        attributes = runtime.objects.attributes(own)
        values = [attributes[name] for name in used if name in attributes]
        types = [(value, runtime.objects.type_of(value)) for value in values]
    except Unreadable:
        return []  # of what the walk has not seen before: it leads to nothing of a gateway's own
    return [(value, _methods(runtime, [info])) for value, info in types if info.address in pointers]


def _names(info: TypeInfo) -> set[str]:
    """The qualnames of the classes it derives from: a method may be inherited."""
    return {base.removeprefix(info.module + ".") for base in info.bases}


def _used(runtime: Runtime, code: int) -> list[str]:
    """co_names: the attributes and globals that the code uses. In their order: a capture holds the pages that were
    looked at, and where it is opened the search must take the same way."""
    objects, at = runtime.objects, code + runtime.layout.code_names
    names = objects.read_word(at)
    found = _texts(objects.younger, names)
    # As long as the code has these names, they are what they were.
    return found if objects.younger.read_word(at) == names else _texts(objects, names)


def _texts(objects: Objects, names: int) -> list[str]:
    return [text for item in objects.items(names, MAX_NAMES) if (text := objects.text(item)) is not None]


def _methods(runtime: Runtime, classes: list[TypeInfo]) -> dict[str, int]:
    """The code of each function in the namespaces of the classes and their bases: name -> address."""
    found: dict[str, int] = {}
    for pointer in dict.fromkeys(pointer for info in classes for pointer in info.ancestors):
        namespace = runtime.objects.read_word(pointer + runtime.layout.type_dict)
        for name, value in (runtime.objects.named(namespace, MAX_NAMES) if namespace else {}).items():
            code = _function_code(runtime, value)
            if code is not None:
                found.setdefault(name, code)
    return found


def _function_code(runtime: Runtime, value: int) -> int | None:
    try:
        if runtime.objects.type_of(value).dotted == "builtins.function":
            return runtime.objects.read_word(value + runtime.layout.function_code)
    except Unreadable:
        pass
    return None
