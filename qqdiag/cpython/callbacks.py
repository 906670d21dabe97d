"""Callbacks: what a scheduled or registered callable is called, and which tasks and futures it touches."""

from __future__ import annotations

from qqdiag.cpython.codes import FREE, local_names
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.strings import c_string, printable
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable
from qqdiag.model import Name

MAX_ARGUMENTS = 16
MAX_DEPTH = 3
PARTIAL = "functools.partial"
# Objects whose method is a timeout, and the attribute that holds what it will cancel or complete: a task or future,
# several, or (callback, …) tuples that do it.
TIMEOUTS = {
    "asyncio.timeouts.Timeout": "_task",
    "asyncio.sslproto.SSLProtocol": "_waiter",
    "async_timeout.Timeout": "_task",
    "aiohttp.helpers.TimerContext": "_tasks",
    "aiohttp.helpers.TimeoutHandle": "_callbacks",
    "anyio._backends._asyncio.CancelScope": "_tasks",
}


def name(runtime: Runtime, callback: int) -> Name:
    """The qualname of a callable: of a function or method, of what a partial wraps, else of its type."""
    found = runtime.callback_names.get(callback)
    if found is None:
        found = runtime.callback_names[callback] = Name(printable(_qualname(runtime, callback, 0)))
    return found


def _qualname(runtime: Runtime, callback: int, depth: int) -> str:
    objects, layout = runtime.objects, runtime.layout
    info = objects.type_of(callback)
    if info.dotted == "builtins.method":
        return _qualname(runtime, objects.read_word(callback + layout.method_function), depth + 1) if depth < 4 else "?"
    if info.dotted == PARTIAL and depth < 4:
        return _qualname(runtime, objects.read_word(callback + layout.partial_function), depth + 1)
    if info.dotted == "builtins.function":
        return objects.text(objects.read_word(callback + layout.function_qualname)) or info.qualname
    if info.dotted in ("builtins.builtin_function_or_method", "builtins.builtin_method"):
        return _builtin_name(runtime, callback)
    return info.qualname


def _builtin_name(runtime: Runtime, callback: int) -> str:
    definition = runtime.objects.read_word(callback + runtime.layout.builtin_definition)
    short = c_string(runtime.memory, runtime.objects.read_word(definition))
    owner = runtime.objects.method_self(callback)
    if owner is None or runtime.objects.type_of(owner).dotted == "builtins.module":
        return short
    return f"{runtime.objects.type_of(owner).qualname}.{short}"


def touches(runtime: Runtime, callback: int, arguments: list[int]) -> list[int]:
    """The tasks and futures that a callback completes or cancels: its own object or one of its arguments.

    An object counts only where its type says that it is one, or a timeout that holds one: None and other singletons
    are arguments of many callbacks.
    """
    own = runtime.callback_owners.get(callback)
    if own is None:
        own = runtime.callback_owners[callback] = _owners(runtime, callback)
    found: list[int] = []
    for candidate in (*arguments[:MAX_ARGUMENTS], *own):
        try:
            info = runtime.objects.type_of(candidate)
        except Unreadable:
            continue
        if info.is_future:
            found.append(candidate)
        elif info.heap:
            found += _touched(runtime, candidate, MAX_DEPTH)
    return list(dict.fromkeys(found)) if len(found) > 1 else found


def _owners(runtime: Runtime, callback: int) -> list[int]:
    """What a callable brings along: the arguments of a partial, its own object, a timeout in its closure."""
    objects, layout = runtime.objects, runtime.layout
    found: list[int] = []
    for _ in range(MAX_DEPTH):
        if objects.type_of(callback).dotted != PARTIAL:
            break
        found += objects.items(objects.read_word(callback + layout.partial_args), MAX_ARGUMENTS)
        callback = objects.read_word(callback + layout.partial_function)
    owner = objects.method_self(callback)
    if owner is not None:
        return [*found, owner]
    # A lambda of a timeout has it in its closure; what else is there is only mentioned, not touched.
    return found + [item for item in closure(runtime, callback) if _timeout(objects.type_of(item)) is not None]


def _timeout(info: TypeInfo) -> str | None:
    """The attribute of a timeout that holds what it ends; None when the type is no timeout."""
    return next((TIMEOUTS[base] for base in info.bases if base in TIMEOUTS), None) if info.heap else None


def _touched(runtime: Runtime, address: int, depth: int) -> list[int]:
    """The future itself, or the futures that a timeout holds. What is being torn down is left out."""
    objects = runtime.objects
    try:
        info = objects.type_of(address)
        if info.is_future:
            return [address]
        attribute = _timeout(info)
        held = objects.attribute(address, attribute) if attribute and depth else None
        if held is None:
            return []
        found: list[int] = []
        for item in [held, *objects.items(held, MAX_ARGUMENTS)]:
            first = objects.items(item, 1) if objects.type_of(item).dotted == "builtins.tuple" else []
            owner = objects.method_self(first[0]) if first else item
            found += _touched(runtime, owner, depth - 1) if owner is not None else []
        return found
    except Unreadable:
        return []


def closure(runtime: Runtime, function: int, name: str | None = None) -> list[int]:
    """The objects in the closure of a Python function; of the variable `name` alone where one is given."""
    objects, layout = runtime.objects, runtime.layout
    if objects.type_of(function).dotted != "builtins.function":
        return []
    cells = objects.read_word(function + layout.function_closure)
    found = [objects.read_word(cell + layout.cell_contents) for cell in (objects.items(cells, 64) if cells else [])]
    if name is not None:
        variables = local_names(objects, runtime.codes.at(objects.read_word(function + layout.function_code)))
        free = [variable for variable, kind in variables if kind & FREE]
        found = [item for variable, item in zip(free, found, strict=False) if variable == name]
    return [item for item in found if item]
