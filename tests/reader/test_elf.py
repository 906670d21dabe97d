"""Symbols by memory alone, of this very process, whose dynamic loader knows them too."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

from qqdiag.memory import elf
from qqdiag.memory.live import PAGE, LiveMemory
from qqdiag.memory.source import Unreadable

NAMES = ["PyType_Type", "PyCoro_Type", "_PyRuntime", "Py_Version"]


@pytest.fixture
def memory() -> Iterator[LiveMemory]:
    with LiveMemory(os.getpid()) as own:
        yield own


def test_symbols_of_the_interpreter(memory: LiveMemory) -> None:
    told = {name: ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, name)) for name in NAMES}
    image = next(i for i in elf.images(memory, memory.regions()) if elf.find(memory, i, ["_PyRuntime"]))
    assert elf.find(memory, image, [*NAMES, "no_such_symbol"]) == told


def test_both_hash_tables(memory: LiveMemory) -> None:
    """The vDSO has the old table beside the GNU one, and nobody relocated its pointers: as musl leaves them."""
    start = next(region.start for region in memory.regions() if region.path == "[vdso]")
    image = elf.image_at(memory, start, "[vdso]")
    assert image is not None
    found = []
    for table in (elf.DT_GNU_HASH, elf.DT_HASH):
        if table in image.dynamic:
            dynamic = {tag: value for tag, value in image.dynamic.items() if tag not in (elf.DT_GNU_HASH, elf.DT_HASH)}
            only = image._replace(dynamic=dynamic | {table: image.dynamic[table]})
            assert elf.symbol(memory, only, "no_such_symbol") is None
            found.append(elf.symbol(memory, only, "__vdso_gettimeofday"))
    assert found
    assert len(set(found)) == 1
    assert found[0] is not None
    assert start < found[0] < start + 16 * PAGE


def test_not_an_elf_file(memory: LiveMemory) -> None:
    buffer = ctypes.create_string_buffer(b"\x7fELF\x01" + bytes(100))
    assert elf.image_at(memory, ctypes.addressof(buffer), "") is None


@pytest.mark.parametrize("address", [0, 8, 1 << 62, (1 << 64) - 8, -8])
def test_nothing_there(memory: LiveMemory, address: int) -> None:
    with pytest.raises(Unreadable):
        memory.read(address, 8)


def test_reads_across_pages_and_sizes(memory: LiveMemory) -> None:
    data = os.urandom(5 * PAGE)
    buffer = ctypes.create_string_buffer(data, len(data))
    start = ctypes.addressof(buffer)
    for offset, size in ((0, 1), (1, PAGE), (PAGE - 3, 7), (17, 3 * PAGE), (0, 5 * PAGE), (5, 0)):
        assert memory.read(start + offset, size) == data[offset : offset + size]
    with pytest.raises(Unreadable):
        memory.read(start, -1)
    with pytest.raises(Unreadable):
        memory.read(start, 1 << 40)


def test_pages_are_kept_until_forgotten(memory: LiveMemory) -> None:
    buffer = ctypes.create_string_buffer(b"before", 6)
    start = ctypes.addressof(buffer)
    assert memory.read(start, 6) == b"before"
    buffer.value = b"after!"
    assert memory.read(start, 6) == b"before"
    assert start & -PAGE in memory.pages
    memory.forget()
    assert memory.read(start, 6) == b"after!"
