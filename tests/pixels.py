"""The pixels of a PNG file as browsers write it: 8 bits a channel, not interlaced (PNG specification, 3rd edition)."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}  # by colour type: RGB, RGBA


class Image(NamedTuple):
    width: int
    height: int
    pixels: list[tuple[int, int, int]]

    @property
    def brightness(self) -> float:
        """The mean over all pixels and channels, 0 to 255."""
        return sum(sum(pixel) for pixel in self.pixels) / (3 * len(self.pixels))


def decode(data: bytes) -> Image:
    assert data.startswith(SIGNATURE)
    at, packed, header = 8, b"", b""
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        header = body if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += size + 12
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    assert (depth, interlace) == (8, 0)
    step = CHANNELS[colour]
    rows = unfiltered(zlib.decompress(packed), width * step, step)
    pixels = [(row[x], row[x + 1], row[x + 2]) for row in rows for x in range(0, width * step, step)]
    return Image(width, height, pixels)


def unfiltered(data: bytes, length: int, step: int) -> list[bytearray]:
    rows: list[bytearray] = []
    before = bytearray(length)
    for start in range(0, len(data), length + 1):
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + length])
        for x in range(length):
            left = row[x - step] if x >= step else 0
            above, corner = before[x], before[x - step] if x >= step else 0
            row[x] = (row[x] + predicted(kind, left, above, corner)) & 0xFF
        rows.append(row)
        before = row
    return rows


def predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:  # Paeth
        guess = left + above - corner
        return min((left, above, corner), key=lambda value: abs(guess - value))
    return (0, left, above, (left + above) // 2)[kind]
