"""The version of a CPython that does not export it, as those before 3.11 do not.

The sizes of its types say which minor version it is, whatever its files are called; `sys.hexversion` confirms it and
says which patch release.
"""

from __future__ import annotations

from qqdiag.cpython import layouts
from qqdiag.cpython.layout import Layout
from qqdiag.cpython.objects import Objects
from qqdiag.errors import NotReadable
from qqdiag.memory import elf
from qqdiag.memory.source import MemorySource
from qqdiag.model import Say

FIRST_EXPORTED = (3, 11)
Version = tuple[int, int, int]


def version(memory: MemorySource, image: elf.Image, runtime: int) -> Version:
    """(major, minor, micro). Raises NotReadable where no layout fits, and Unreadable."""
    for minor in layouts.versions():
        layout = layouts.layout(minor)
        if layout is not None and minor < FIRST_EXPORTED and _fits(memory, layout, image):
            found = _told(memory, layout, runtime)
            if found is not None and found[:2] == minor:
                return found
    raise NotReadable(
        Say(
            "This is a CPython before 3.11 (it does not export Py_Version) with the layout of no release that is known."
        ),
        Say("Start the gateway with CPython 3.11, 3.12 or 3.13, as in: python3.12 -m venv"),
    )


def _fits(memory: MemorySource, layout: Layout, image: elf.Image) -> bool:
    """Whether every exported type has the size that it has in this layout."""
    symbols = elf.find(memory, image, layout.fingerprint)
    known = [(symbols[name], size) for name, size in layout.fingerprint.items() if name in symbols]
    return bool(known) and all(_word(memory, address + layout.type_basicsize) == size for address, size in known)


def _told(memory: MemorySource, layout: Layout, runtime: int) -> Version | None:
    """`sys.hexversion` of the interpreter that was made last: all have the same."""
    objects = Objects(memory, layout)
    interpreter = _word(memory, runtime + layout.runtime_interpreters)
    modules = _word(memory, interpreter + layout.interpreter_modules) if interpreter else 0
    module = objects.lookup(modules, "sys") if modules else None
    namespace = objects.read_word(module + layout.module_dict) if module else 0
    number = objects.lookup(namespace, "hexversion") if namespace else None
    value = objects.integer(number) if number else None
    return None if value is None else (value >> 24, value >> 16 & 0xFF, value >> 8 & 0xFF)


def _word(memory: MemorySource, address: int) -> int:
    return int.from_bytes(memory.read(address, 8), "little")
