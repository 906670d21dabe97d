"""Private values that stand in no snapshot: the environment of the target, and whose machine this is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from qqdiag.redact.private_values import Private

_LONGEST = 200_000
_MOST = 2000


def known_of(pid: int) -> Iterator[Private]:
    """The values of a live target's environ and argv, as far as this user may read them; the host's name."""
    yield Private(socket.gethostname(), "Host", "host")
    for line in _strings(pid, "environ"):
        _name, _, value = line.partition("=")
        if value:
            yield Private(value, "Secret", "environ")
    for argument in _strings(pid, "cmdline"):
        yield Private(argument, "Secret", "argv")


def _strings(pid: int, file: str) -> list[str]:
    try:
        with Path(f"/proc/{pid}/{file}").open("rb") as source:
            data = source.read(_LONGEST)
    except OSError:  # gone, or not ours to read: then no collector has read it either
        return []
    return [part.decode("utf-8", "surrogateescape") for part in data.split(b"\0")[:_MOST] if part]
