"""Code objects, each read once: names, file, the table of lines, and what the code calls."""

from __future__ import annotations

import dataclasses

from qqdiag.cpython import containers, linetables
from qqdiag.cpython.known import code_identity
from qqdiag.cpython.objects import Objects
from qqdiag.cpython.strings import printable
from qqdiag.memory.source import Unreadable
from qqdiag.model import CodePath, Name, Word
from qqdiag.snapshot import Code

CALLS = (
    *("receive", "receive_json", "receive_str", "receive_bytes", "recv", "recv_streaming"),
    *("send", "send_str", "send_json", "send_bytes", "ping", "drain", "write"),
    *("read", "readline", "readexactly", "readuntil", "close", "aclose"),
)
MAX_CODES = 100_000
MAX_TABLE = 1 << 20  # bytes of one line table
MAX_NAMES = 10_000
MAX_LOCALS = 10_000
LOCAL, CELL, FREE = 0x20, 0x40, 0x80  # CO_FAST_* (Include/internal/pycore_code.h)
VARIABLE_KINDS = (LOCAL, CELL, FREE)  # in the order in which a frame has them


@dataclasses.dataclass(slots=True)
class CodeInfo:
    """One code object. `start` is the address of its first instruction."""

    address: int
    index: int  # in Codes.table
    qualname: Name
    qualname_at: int  # the str object
    start: int
    size: int  # of its instructions, bytes
    first_line: int
    localsplus: int  # how many locals, cells and free variables a frame has
    path: str
    linetable: int  # address of the bytes object
    lines: dict[int, int | None]  # already looked up, by offset


class Names:
    """Qualnames as `Name`, one for each str object of the target."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._by_address: dict[int, Name] = {}

    def at(self, address: int, code: CodeInfo) -> Name:
        """The str at `address`; the name of the code where there is none, and where it is that one's own."""
        if address == code.qualname_at:
            return code.qualname
        found = self._by_address.get(address)
        if found is None:
            text = self._objects.text(address) if address else None
            found = self._by_address[address] = code.qualname if text is None else Name(printable(text))
        return found


class Codes:
    """The code objects met in one walk; `table` is what the snapshot gets."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._by_address: dict[int, CodeInfo] = {}
        self.table: list[Code] = []

    def at(self, address: int) -> CodeInfo:
        """The code object at `address`; Unreadable when it is none."""
        return self._by_address.get(address) or self._read(address)

    def _read(self, address: int) -> CodeInfo:
        if len(self.table) >= MAX_CODES:
            raise Unreadable(address)
        known, index = self._objects.known.codes, len(self.table)
        memory, later, layout = self._objects.memory, self._objects.later, self._objects.layout
        former = known.get(address)
        if former is None or former[0] != code_identity(later, layout, address):
            identity = code_identity(memory, layout, address)
            decoded = _decoded(self._objects.younger, address)
            if later is not memory and code_identity(later, layout, address) != identity:
                decoded = _decoded(self._objects, address)
            former = known[address] = (identity, *decoded)
        info = self._by_address[address] = dataclasses.replace(former[1], index=index)
        self.table.append(former[2])
        return info


def _decoded(objects: Objects, address: int) -> tuple[CodeInfo, Code]:
    layout = objects.layout
    objects.expect(address, "builtins.code")
    word = objects.read_word
    path, name = _text(objects, word(address + layout.code_filename)), word(address + layout.code_name)
    qualname_at = word(address + layout.code_qualname)
    qualname = Name(printable(_text(objects, qualname_at)))
    start, size = _instructions(objects, address)
    info = CodeInfo(
        address=address,
        index=-1,
        qualname=qualname,
        qualname_at=qualname_at,
        start=start,
        size=size,
        first_line=objects.read_int(address + layout.code_first_line),
        localsplus=min(_variables(objects, address), MAX_LOCALS),
        path=path,
        linetable=word(address + layout.code_linetable),
        lines={},
    )
    return info, Code(
        qualname=qualname,
        name=Name(printable(_text(objects, name))),
        path=CodePath(printable(path)),
        first_line=info.first_line,
        calls=_calls(objects, word(address + layout.code_names)),
    )


def line(objects: Objects, code: CodeInfo, offset: int) -> int | None:
    """The line of the instruction at `offset` bytes, as `PyCode_Addr2Line` has it; None where it has none, or where
    the table cannot be read."""
    if offset < 0:
        return code.first_line
    if offset not in code.lines:
        try:
            table = _line_table(objects, code)
            code.lines[offset] = linetables.FORMATS[objects.layout.code_line_format](table, code.first_line, offset)
        except Unreadable:
            return None
    return code.lines[offset]


def _line_table(objects: Objects, code: CodeInfo) -> bytes:
    """It never changes while the code object is the same."""
    identity = objects.known.codes[code.address][0]
    found = _bytes(objects.younger, code.linetable)
    same = objects.younger is objects or code_identity(objects.later, objects.layout, code.address) == identity
    return found if same else _bytes(objects, code.linetable)


def _instructions(objects: Objects, address: int) -> tuple[int, int]:
    """(address, size in bytes) of a code object's instructions: behind it, or up to 3.10 in a bytes object."""
    memory, layout = objects.memory, objects.layout
    if layout.code_adaptive is not None:
        return address + layout.code_adaptive, 2 * containers.size(memory, layout, address)
    assert layout.code_bytes is not None
    code = objects.read_word(address + layout.code_bytes)
    objects.expect(code, "builtins.bytes")
    return code + layout.bytes_data, containers.size(memory, layout, code)


def _variables(objects: Objects, address: int) -> int:
    """How many locals, cells and free variables a frame of this code has."""
    memory, layout = objects.memory, objects.layout
    if layout.code_nlocalsplus is not None:
        return objects.read_int(address + layout.code_nlocalsplus)
    assert layout.code_variables is not None
    return sum(containers.size(memory, layout, objects.read_word(address + at)) for at in layout.code_variables)


def _bytes(objects: Objects, address: int) -> bytes:
    objects.expect(address, "builtins.bytes")
    size = containers.size(objects.memory, objects.layout, address)
    return objects.read(address + objects.layout.bytes_data, min(size, MAX_TABLE))


def _text(objects: Objects, address: int) -> str:
    text = objects.text(address)
    if text is None:
        raise Unreadable(address)
    return text


def _calls(objects: Objects, names: int) -> list[Word]:
    """Those of the code's names that are in CALLS."""
    used = {objects.text(item) for item in objects.items(names, MAX_NAMES)}
    return [Word(name) for name in CALLS if name in used]


def local_names(objects: Objects, code: CodeInfo) -> list[tuple[str, int]]:
    """(name, kind byte) of every slot of a frame of this code (CO_FAST_* in Include/internal/pycore_code.h)."""
    layout = objects.layout
    if layout.code_variables is not None:
        return [
            (objects.text(name) or "?", kind)
            for at, kind in zip(layout.code_variables, VARIABLE_KINDS, strict=True)
            for name in objects.items(objects.read_word(code.address + at), MAX_LOCALS)
        ]
    names = objects.items(objects.read_word(code.address + layout.code_localsplusnames), MAX_LOCALS)
    kinds = _bytes(objects, objects.read_word(code.address + layout.code_localspluskinds))
    return [(objects.text(name) or "?", kind) for name, kind in zip(names, kinds, strict=False)]
