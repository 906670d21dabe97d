"""The version of a CPython that does not export it, as those before 3.11 do not.

The sizes of its types say which minor version it is, whatever its files are called; `sys.hexversion` confirms it and
says which patch release.
"""

from __future__ import annotations

from qqdiag.cpython import layouts
from qqdiag.cpython.layout import Layout
from qqdiag.cpython.objects import Objects
from qqdiag.cpython.typeinfo import UNNAMED
from qqdiag.errors import NotReadable
from qqdiag.memory import elf
from qqdiag.memory.source import MemorySource, Unreadable
from qqdiag.model import Say

Version = tuple[int, int, int]


def version(memory: MemorySource, image: elf.Image, runtime: int) -> Version:
    """(major, minor, micro). Raises NotReadable where no layout fits, and Unreadable."""
    for minor in layouts.versions():
        layout = layouts.layout(minor)
        if layout is not None and _fits(memory, layout, image):
            interpreter = _word(memory, runtime + layout.runtime_interpreters)
            found = told(memory, layout, interpreter) if interpreter else None
            if found is not None:
                return found
    raise NotReadable(
        Say(
            "This is a CPython before 3.11 (it does not export Py_Version) with the layout of no release that is known."
        ),
        Say("Start the gateway with a CPython from 3.9 to 3.15, as in: python3.12 -m venv .venv"),
    )


def _fits(memory: MemorySource, layout: Layout, image: elf.Image) -> bool:
    """Whether every type that is exported has the size that it has in this layout."""
    symbols = elf.find(memory, image, layout.fingerprint)
    known = [(symbols[name], size) for name, size in layout.fingerprint.items() if name in symbols]
    return all(_word(memory, address + layout.type_basicsize) == size for address, size in known)


def told(memory: MemorySource, layout: Layout, interpreter: int) -> Version | None:
    """`sys.hexversion`, where the layout is of that version; None where it is not, or nothing of this can be read."""
    objects = Objects(memory, layout, names=UNNAMED)
    try:
        modules = objects.read_word(interpreter + layout.interpreter_modules)
        module = objects.lookup(modules, "sys") if modules else None
        namespace = objects.read_word(module + layout.module_dict) if module else 0
        number = objects.lookup(namespace, "hexversion") if namespace else None
        value = objects.integer(number) if number else None
    except Unreadable:
        return None
    if value is None or (value >> 24, value >> 16 & 0xFF) != layout.version:
        return None
    return value >> 24, value >> 16 & 0xFF, value >> 8 & 0xFF


def _word(memory: MemorySource, address: int) -> int:
    return int.from_bytes(memory.read(address, 8), "little")
