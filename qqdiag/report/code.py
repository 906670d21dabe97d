"""How a place in code is written: the same in await chains, stacks and tables."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.snapshot import Code, Frame, Level, Python


def place(python: Python, part: Level | Frame) -> Say | None:
    """`aiohttp/client_ws.py:322` of a level or frame; None when it has no code object."""
    code = code_of(python, part)
    if code is None:
        return None
    if part.line is None:
        return Say("{path}", path=code.path)
    return Say("{path}:{line}", path=code.path, line=part.line)


def code_of(python: Python, part: Level | Frame) -> Code | None:
    """Its code object; None for a future, a builtin, or an index that the target's bytes got wrong."""
    if part.code is None or not 0 <= part.code < len(python.codes):
        return None
    return python.codes[part.code]
