"""The forms in which a value gets into a text by accident: quoted, encoded, escaped, reversed."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote

from qqdiag.redact.pseudonyms import canonical


def spellings(value: str, kind: str = "") -> Iterator[str]:
    """The value itself and what it becomes; `kind`: its class, an address has forms of its own."""
    plain = (value, value.lower(), value.upper(), value[::-1], quote(value, safe=""), json.dumps(value)[1:-1])
    escaped = value.encode("unicode_escape", "backslashreplace").decode("ascii")
    yield from dict.fromkeys((*plain, escaped, html.escape(value)))
    data = value.encode("utf-8", "surrogateescape" if _from_bytes(value) else "surrogatepass")
    if len(data) >= 6:
        yield data.hex()
        yield data.hex().upper()
        yield from _base64(data)
    if kind == "Address":
        yield from _addresses(value)


def _from_bytes(value: str) -> bool:
    """Whether its surrogates, if any, stand for bytes that are no UTF-8 (PEP 383)."""
    return not any("\ud800" <= one < "\udc80" or "\udcff" < one <= "\udfff" for one in value)


def _base64(data: bytes) -> Iterator[str]:
    """What stands before and behind the value changes the first and last characters of its base64 form."""
    for shift in range(3):
        yield base64.b64encode(bytes(shift) + data).decode("ascii").rstrip("=")[2 * (shift > 0) + shift : -1]


def _addresses(value: str) -> Iterator[str]:
    """As /proc/net/tcp has it, dashed, and mapped into IPv6."""
    ip = canonical(value)
    if ip is None:
        return
    words = [ip.packed[start : start + 4] for start in range(0, len(ip.packed), 4)]
    yield b"".join(word[::-1] for word in words).hex().upper()
    yield ip.packed.hex()
    yield ip.exploded
    yield ip.compressed.replace(".", "-")
