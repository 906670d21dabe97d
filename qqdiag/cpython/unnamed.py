"""An interpreter whose symbols and whose types' names cannot be read: in a core without the files of its process.

The names of C's types and the table of symbols lie in pages that nobody can write to, which a core leaves out. The
runtime is found by what it points to: an interpreter with a thread that points back, and with modules, of which `sys`
says the version that the layout is of. The types are named after the modules that hold them.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from qqdiag.cpython import layouts
from qqdiag.cpython.layout import Layout
from qqdiag.cpython.objects import Objects
from qqdiag.cpython.strings import c_string
from qqdiag.cpython.typeinfo import HEAP_TYPE, UNNAMED, Names
from qqdiag.cpython.unexported import told
from qqdiag.memory.source import MemorySource, Region, Unreadable

THREAD_INTERPRETER = 16  # PyThreadState.interp (3.9 to 3.15, Include/cpython/pystate.h)
PAGE = 4096
MAX_SCAN = 1 << 24  # bytes of one mapping: the data of an interpreter has 1 to 2 MB
MAX_SCANS = 1 << 28  # bytes of all mappings, also of those that cannot be read
MAX_TRIES = 1 << 17  # different pointers that are followed
MAX_NAMES = 10_000
# Where a module holds a type, and what the type is called.
TYPES = {
    ("types", "CoroutineType"): ("builtins", "coroutine"),
    ("types", "GeneratorType"): ("builtins", "generator"),
    ("types", "AsyncGeneratorType"): ("builtins", "async_generator"),
    ("types", "CodeType"): ("builtins", "code"),
    ("types", "FrameType"): ("builtins", "frame"),
    ("types", "CellType"): ("builtins", "cell"),
    ("types", "FunctionType"): ("builtins", "function"),
    ("types", "MethodType"): ("builtins", "method"),
    ("types", "BuiltinFunctionType"): ("builtins", "builtin_function_or_method"),
    ("types", "MemberDescriptorType"): ("builtins", "member_descriptor"),
    ("types", "ModuleType"): ("builtins", "module"),
    ("_asyncio", "Task"): ("_asyncio", "Task"),
    ("_asyncio", "Future"): ("_asyncio", "Future"),
    ("_collections", "deque"): ("collections", "deque"),
    ("_weakref", "ReferenceType"): ("weakref", "ReferenceType"),
    ("_functools", "partial"): ("functools", "partial"),
    ("select", "epoll"): ("select", "epoll"),
}


def runtime(memory: MemorySource, regions: Sequence[Region]) -> tuple[int, Region] | None:
    """The address of `_PyRuntime` and the mapping that it lies in; None where there is none."""
    writable = [region for region in regions if region.readable and region.writable]
    starts = [region.start for region in writable]
    known = _layouts()
    refused: set[int] = set()  # most words point to the same few types

    def pointer(word: int) -> bool:
        index = bisect_right(starts, word) - 1
        return index >= 0 and word < writable[index].end

    for home, address, word in _candidates(memory, writable):
        if word % 8 or word <= PAGE or word in refused or not pointer(word):
            continue
        if len(refused) >= MAX_TRIES:
            break
        refused.add(word)
        for layout in known:
            if _is_interpreter(memory, layout, word) and told(memory, layout, word):
                return address - layout.runtime_interpreters, home
    return None


def _candidates(memory: MemorySource, writable: Sequence[Region]) -> Iterator[tuple[Region, int, int]]:
    """(mapping, address, word) of all that may be an interpreter's own data."""
    room = MAX_SCANS
    for index, region in enumerate(writable):
        if "python" not in region.path.rpartition("/")[2]:
            continue
        behind = writable[index + 1] if index + 1 < len(writable) else region  # .bss has no file
        for home in (region, behind) if behind.start == region.end else (region,):
            room -= min(max(0, home.end - home.start), MAX_SCAN)
            if room < 0:
                return
            for address, word in _words(memory, home):
                yield home, address, word


def _layouts() -> list[Layout]:
    return [found for each in layouts.versions() if (found := layouts.layout(each)) is not None]


def _words(memory: MemorySource, region: Region) -> Iterator[tuple[int, int]]:
    """(address, word) of what can be read of a mapping."""
    for page in range(region.start, min(region.end, region.start + MAX_SCAN), PAGE):
        try:
            data = memory.read(page, PAGE)
        except Unreadable:
            continue
        yield from zip(range(page, page + PAGE, 8), struct.unpack("<512Q", data), strict=True)


def _is_interpreter(memory: MemorySource, layout: Layout, address: int) -> bool:
    """Whether its first thread points back to it."""
    try:
        thread = _word(memory, address + layout.interpreter_threads)
        return thread % 8 == 0 and thread > PAGE and _word(memory, thread + THREAD_INTERPRETER) == address
    except Unreadable:
        return False


def _globals(objects: Objects, modules: int, name: str) -> dict[str, int]:
    """A module's namespace; empty where it was not imported."""
    module = objects.lookup(modules, name) if modules else None
    namespace = objects.read_word(module + objects.layout.module_dict) if module else 0
    return objects.named(namespace, MAX_NAMES) if namespace else {}


def names(memory: MemorySource, layout: Layout, symbols: dict[str, int]) -> Names:
    """By the address of a type of C: the names under which modules hold it. Heap types have theirs in the heap.

    Nothing where the names can be read, as that of `type` shows.
    """
    try:
        if "PyType_Type" in symbols:
            c_string(memory, _word(memory, symbols["PyType_Type"] + layout.type_name))
            return {}
    except Unreadable:
        pass
    interpreter = _word(memory, symbols["_PyRuntime"] + layout.runtime_interpreters)
    objects = Objects(memory, layout, names=UNNAMED)
    found = dict(UNNAMED)
    try:
        modules = objects.read_word(interpreter + layout.interpreter_modules)
        builtins = _globals(objects, modules, "builtins")
        found |= {value: ("builtins", name) for name, value in builtins.items() if _is_static(objects, value)}
        if "None" in builtins:
            found[objects.read_word(builtins["None"] + layout.object_type)] = ("builtins", "NoneType")
        for module in sorted({module for module, _ in TYPES}):
            for name, value in _globals(objects, modules, module).items():
                if (module, name) in TYPES and objects.is_type(value):
                    found[value] = TYPES[module, name]
    except Unreadable:
        pass  # what was found so far is right
    return found


def _is_static(objects: Objects, address: int) -> bool:
    """Whether the object is a type that is no heap type."""
    try:
        return objects.is_type(address) and not objects.type_at(address).flags & HEAP_TYPE
    except Unreadable:
        return False


def _word(memory: MemorySource, address: int) -> int:
    return int.from_bytes(memory.read(address, 8), "little")
