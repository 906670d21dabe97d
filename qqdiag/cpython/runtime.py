"""Find the interpreter in a target's memory, learn its version and flavour, and check that the layout fits it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from qqdiag.cpython import asyncio_offsets, fitting, known, layouts, places, unexported, unnamed
from qqdiag.cpython.codes import Codes, Names
from qqdiag.cpython.debug_offsets import published
from qqdiag.cpython.known import Interpreter, Known
from qqdiag.cpython.layout import Layout
from qqdiag.cpython.objects import Objects
from qqdiag.cpython.typeinfo import DICT
from qqdiag.errors import NotReadable
from qqdiag.memory import elf
from qqdiag.memory.source import MemorySource, Region, Unreadable
from qqdiag.model import Hex, Name, Say, Word

if TYPE_CHECKING:
    from qqdiag.cpython.futures import Kind
    from qqdiag.cpython.places import Along, Place

MAX_INTERPRETERS = 1_000
SYMBOLS = ("_PyRuntime", "Py_Version", "_Py_NoneStruct", "_Py_NegativeRefcount")
SUPPORTED = Say("Start the gateway with a CPython from 3.9 to 3.15, as in: python3.12 -m venv .venv")


@dataclasses.dataclass(frozen=True)
class Runtime:
    """One interpreter runtime, ready to be read: the way to everything else in this package."""

    memory: MemorySource
    version: tuple[int, int, int]
    flavour: list[Word]
    layout: Layout
    address: int  # of _PyRuntime
    interpreters: list[int]
    objects: Objects
    codes: Codes
    names: Names
    symbols: dict[str, int]
    callback_names: dict[int, Name] = dataclasses.field(default_factory=dict)
    callback_owners: dict[int, list[int]] = dataclasses.field(default_factory=dict)
    places: dict[tuple[int, ...], Place] = dataclasses.field(default_factory=dict)
    futures: dict[int, Kind] = dataclasses.field(default_factory=dict)  # by their types
    kinds: dict[int, Place] = dataclasses.field(default_factory=dict)  # of C, by their types

    @functools.cached_property
    def along(self) -> Along:
        """What follows a chain as long as its levels are known ones."""
        return places.along(self)

    def modules(self, interpreter: int) -> dict[str, int]:
        """sys.modules of one interpreter: name -> module object. Empty while there are none."""
        modules = self.objects.read_word(interpreter + self.layout.interpreter_modules)
        return self.objects.named(modules, 100_000) if modules else {}

    def module(self, interpreter: int, name: str) -> int | None:
        """One module of sys.modules, None when it was not imported."""
        former = self.objects.known.modules.get((interpreter, name))
        if former and known.module_identity(self.memory, self.layout, former[0]) == former[1]:
            return former[0]
        modules = self.objects.read_word(interpreter + self.layout.interpreter_modules)
        if modules and not self.objects.type_of(modules).flags & DICT:
            raise Unreadable(modules)
        found = self.objects.lookup(modules, name) if modules else None
        if found is not None:
            identity = known.module_identity(self.memory, self.layout, found)
            self.objects.known.modules[interpreter, name] = found, identity
        return found

    def globals_of(self, module: int, names: Collection[str]) -> dict[str, int]:
        """Some globals of a module object: those of `names` that are there."""
        return self.objects.select(self.objects.read_word(module + self.layout.module_dict), names)

    def namespace(self, module: int) -> dict[str, int]:
        """The globals of a module object."""
        return self.objects.named(self.objects.read_word(module + self.layout.module_dict), 100_000)


def attach(memory: MemorySource, former: Known | None = None) -> Runtime:
    """The Python runtime of a target. `former`: what walks over the same target have learned; this one adds to it.

    Raises NotReadable (with the numbers found) and TargetGone.
    """
    former = former or Known()
    found = known.interpreter(memory, former) or _find(memory)
    try:
        interpreters = _interpreters(memory, found.layout, found.symbols["_PyRuntime"])
    except Unreadable as error:
        raise _damaged(error.address) from error
    former.interpreter = found
    objects = Objects(memory, found.layout, former, found.names)
    with contextlib.suppress(Unreadable):
        objects.is_none(found.symbols.get("_Py_NoneStruct", 0))  # from then on it knows None by its address
    return Runtime(
        memory=memory,
        version=found.version,
        flavour=found.flavour,
        layout=found.layout,
        address=found.symbols["_PyRuntime"],
        interpreters=interpreters,
        objects=objects,
        codes=Codes(objects),
        names=Names(objects),
        symbols=found.symbols,
    )


def _find(memory: MemorySource) -> Interpreter:
    """The interpreter, and a layout that fits it."""
    regions = memory.regions()
    image, symbols = _interpreter(memory, regions)
    version = _version(memory, image, symbols)
    measured = layouts.layout(version[:2])
    if measured is None:
        raise _unsupported(version)
    symbols |= elf.find(memory, image, measured.fingerprint)
    try:
        layout = published(memory, symbols["_PyRuntime"], measured)
        layout = asyncio_offsets.published(memory, regions, symbols["_PyRuntime"], layout)
        names = unnamed.names(memory, layout, symbols)
        main = _interpreters(memory, layout, symbols["_PyRuntime"])[-1]
        layout = fitting.fitted(memory, layout, symbols, main, names)
    except Unreadable as error:
        raise _damaged(error.address) from error
    return Interpreter(version, _flavour(image, symbols, layout), layout, symbols, names)


def _interpreter(memory: MemorySource, regions: Sequence[Region]) -> tuple[elf.Image, dict[str, int]]:
    """The ELF file that holds the interpreter, with the symbols that are needed of it."""
    for image in elf.images(memory, regions):
        if elf.find(memory, image, ["_PyRuntime"]):
            return image, elf.find(memory, image, SYMBOLS)
    found = unnamed.runtime(memory, regions)
    if found is not None:
        address, home = found
        return elf.Image(home.start, 0, home.path, {}), {"_PyRuntime": address}
    if any(re.search(r"pypy|libpypy", region.path) for region in regions):
        raise NotReadable(
            Say("This is PyPy, whose objects have another shape: only CPython is read."),
            Say("Start the gateway with CPython; what its sockets do shows: ss -tinp"),
        )
    if any(elf.find(memory, image, ["Py_Initialize"]) for image in elf.images(memory, regions)):
        raise NotReadable(Say("This is a CPython before 3.7: it has no _PyRuntime."), SUPPORTED)
    raise NotReadable(
        Say("This process runs no Python: none of its files defines _PyRuntime."),
        Say("list the processes that have an event loop: qqdiag ps"),
    )


def _version(memory: MemorySource, image: elf.Image, symbols: dict[str, int]) -> tuple[int, int, int]:
    """From `Py_Version` (exported since 3.11), a hexversion; before that by the sizes of the types, and by `sys`."""
    try:
        value = int.from_bytes(memory.read(symbols["Py_Version"], 4), "little")
    except (KeyError, Unreadable):  # it is read-only: a core leaves it out
        pass
    else:
        return value >> 24, value >> 16 & 0xFF, value >> 8 & 0xFF
    try:
        return unexported.version(memory, image, symbols["_PyRuntime"])
    except Unreadable as error:
        raise _damaged(error.address) from error


def _unsupported(version: tuple[int, int, int]) -> NotReadable:
    return NotReadable(
        Say(
            "CPython {major}.{minor}.{micro} is not supported.",
            major=version[0],
            minor=version[1],
            micro=version[2],
        ),
        SUPPORTED,
    )


def _interpreters(memory: MemorySource, layout: Layout, runtime: int) -> list[int]:
    """The interpreters, the main one last as CPython keeps them."""
    found: list[int] = []
    address = int.from_bytes(memory.read(runtime + layout.runtime_interpreters, 8), "little")
    while address and address not in found and len(found) < MAX_INTERPRETERS:
        found.append(address)
        address = int.from_bytes(memory.read(address + layout.interpreter_next, 8), "little")
    if not found:
        raise NotReadable(
            Say(
                "Python is starting or ending in this process: it has no interpreter (head at {address} is empty).",
                address=Hex(runtime + layout.runtime_interpreters),
            ),
            Say("Take a second look in a second: `qqdiag inspect PID`."),
        )
    return found


def _damaged(address: int) -> NotReadable:
    return NotReadable(
        Say("The interpreter's own data cannot be read: nothing at {address}.", address=Hex(address)),
        Say("Take a second look: `qqdiag inspect PID`; a process that is just starting or ending has no answer."),
    )


def _flavour(image: elf.Image, symbols: dict[str, int], layout: Layout) -> list[Word]:
    flavour = [Word("shared" if ".so" in image.path else "static")]
    if "_Py_NegativeRefcount" in symbols:  # only with Py_REF_DEBUG (Include/refcount.h)
        flavour.append(Word("debug"))
    if " (deleted)" in image.path:
        flavour.append(Word("deleted"))
    if layout.calibrated:
        flavour.append(Word("calibrated"))
    return flavour
