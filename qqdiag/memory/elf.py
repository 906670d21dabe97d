"""Symbols of the ELF files that a target has mapped, read from its memory.

No file is opened: an executable that was deleted or upgraded in place, or that only another mount namespace can see,
is read as well. ELF header, PT_DYNAMIC, then DT_GNU_HASH or DT_HASH (System V gABI 4.1 chapter 5; the GNU hash table
as binutils writes it).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from qqdiag.memory.source import MemorySource, Region, Unreadable

PT_LOAD, PT_DYNAMIC = 1, 2
DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH = 4, 5, 6, 0x6FFFFEF5
MAX_HEADERS = 64
MAX_DYNAMIC = 256
MAX_CHAIN = 4096
HEADER = 64
SYMBOL = 24


class Image(NamedTuple):
    """A mapped ELF file: where it lies, and its dynamic section by tag."""

    base: int
    bias: int
    path: str
    dynamic: dict[int, int]


def images(memory: MemorySource, regions: Sequence[Region]) -> Iterator[Image]:
    """Every mapped ELF file that has a dynamic section, those with `python` in their path first."""
    starts = [region for region in regions if region.readable and region.offset == 0 and region.path.startswith("/")]
    for region in sorted(starts, key=lambda region: "python" not in region.path):
        try:
            image = image_at(memory, region.start, region.path)
        except Unreadable:
            continue
        if image is not None:
            yield image


def image_at(memory: MemorySource, base: int, path: str) -> Image | None:
    """The ELF file mapped at `base`, or None when it is none, or has no dynamic section."""
    header = memory.read(base, HEADER)
    if header[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian
        return None
    phoff, phentsize, phnum = struct.unpack_from("<Q", header, 32)[0], *struct.unpack_from("<HH", header, 54)
    if phentsize != 56 or not 0 < phnum <= MAX_HEADERS:
        return None
    programs = list(struct.iter_unpack("<IIQQQQQQ", memory.read(base + phoff, phentsize * phnum)))
    loads = [program[3] for program in programs if program[0] == PT_LOAD]
    dynamics = [program[3] for program in programs if program[0] == PT_DYNAMIC]
    if not loads or not dynamics:
        return None
    bias = base - (min(loads) & -4096)
    return Image(base, bias, path, _dynamic(memory, bias + dynamics[0]))


def _dynamic(memory: MemorySource, address: int) -> dict[int, int]:
    entries: dict[int, int] = {}
    for index in range(MAX_DYNAMIC):
        tag, value = struct.unpack("<QQ", memory.read(address + 16 * index, 16))
        if tag == 0:
            break
        entries.setdefault(tag, value)
    return entries


def find(memory: MemorySource, image: Image, names: Iterable[str]) -> dict[str, int]:
    """The addresses of those of `names` that the image defines."""
    found = {}
    for name in names:
        try:
            address = symbol(memory, image, name)
        except Unreadable:
            address = None
        if address is not None:
            found[name] = address
    return found


def symbol(memory: MemorySource, image: Image, name: str) -> int | None:
    """The address of a defined symbol, None when the image has none of that name."""
    strings, symbols = _table(image, DT_STRTAB), _table(image, DT_SYMTAB)
    if strings is None or symbols is None:
        return None
    text = name.encode()
    for index in _candidates(memory, image, text):
        entry = memory.read(symbols + SYMBOL * index, SYMBOL)
        offset, _, _, section, value, _ = struct.unpack("<IBBHQQ", entry)
        if section and memory.read(strings + offset, len(text) + 1) == text + b"\0":
            return int(image.bias + value)
    return None


def _table(image: Image, tag: int) -> int | None:
    """A pointer of the dynamic section: glibc relocates them in place, musl leaves them as they are in the file."""
    value = image.dynamic.get(tag)
    if value is None:
        return None
    return value + image.bias if value < image.base else value


def _candidates(memory: MemorySource, image: Image, name: bytes) -> Iterator[int]:
    table = _table(image, DT_GNU_HASH)
    if table is not None:
        return _gnu_candidates(memory, table, name)
    table = _table(image, DT_HASH)
    return iter(()) if table is None else _sysv_candidates(memory, table, name)


def _gnu_candidates(memory: MemorySource, table: int, name: bytes) -> Iterator[int]:
    wanted = 5381
    for byte in name:
        wanted = (wanted * 33 + byte) & 0xFFFFFFFF
    buckets, first, bloom, _ = struct.unpack("<IIII", memory.read(table, 16))
    if not buckets:
        return
    chains = table + 16 + 8 * bloom + 4 * buckets
    index = _word(memory, table + 16 + 8 * bloom + 4 * (wanted % buckets))
    for step in range(index, index + MAX_CHAIN):
        if step < first:
            return
        value = _word(memory, chains + 4 * (step - first))
        if value | 1 == wanted | 1:
            yield step
        if value & 1:
            return


def _sysv_candidates(memory: MemorySource, table: int, name: bytes) -> Iterator[int]:
    wanted = 0
    for byte in name:
        wanted = (wanted << 4) + byte
        wanted = (wanted ^ ((wanted & 0xF0000000) >> 24)) & 0x0FFFFFFF
    buckets, chains = struct.unpack("<II", memory.read(table, 8))
    if not buckets:
        return
    index = _word(memory, table + 8 + 4 * (wanted % buckets))
    for _ in range(MAX_CHAIN):
        if not 0 < index < chains:
            return
        yield index
        index = _word(memory, table + 8 + 4 * buckets + 4 * index)


def _word(memory: MemorySource, address: int) -> int:
    return int.from_bytes(memory.read(address, 4), "little")
