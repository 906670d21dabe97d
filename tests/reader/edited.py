"""A target that says other things than it does, and what an error says of it."""

from __future__ import annotations

from qqdiag.errors import QqdiagError
from qqdiag.memory.live import LiveMemory
from qqdiag.model import Text


class Edited(LiveMemory):
    """A live process in which some words read as other ones."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.edits: dict[int, bytes] = {}
        self.kept = {}  # its pages are not as they read

    def read(self, address: int, size: int) -> bytes:
        data = bytearray(super().read(address, size))
        for at, value in self.edits.items():
            for index, byte in enumerate(value):
                if address <= at + index < address + size:
                    data[at + index - address] = byte
        return bytes(data)


def sentence(error: QqdiagError) -> str:
    values = {
        name: value.reveal() if isinstance(value, Text) else value for name, value in error.message.values.items()
    }
    assert error.hint.template
    return error.message.template.format(**values)
