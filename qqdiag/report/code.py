"""How a place in code is written: the same in await chains, stacks and tables."""

from __future__ import annotations

from qqdiag.model import FreeText, Say
from qqdiag.snapshot import Code, Frame, Level, Python, Snapshot


def place(python: Python, part: Level | Frame) -> Say | None:
    """`aiohttp/client_ws.py:322` of a level or frame; None when it has no code object."""
    code = code_of(python, part)
    if code is None:
        return None
    if part.line is None:
        return Say("{path}", path=code.path)
    return Say("{path}:{line}", path=code.path, line=part.line)


Sources = dict[tuple[str, int], FreeText]


def sources(snapshot: Snapshot) -> Sources:
    """The text of the lines that were read, by path and number."""
    return {(row.path.reveal(), row.line): row.text for row in snapshot.sources}


def sourced(python: Python, part: Level | Frame, known: Sources) -> Say | None:
    """As `place`, with the text of the line where that was read."""
    found, code = place(python, part), code_of(python, part)
    if found is None or code is None or part.line is None:
        return found
    text = known.get((code.path.reveal(), part.line))
    return found if text is None else Say("{place}  {text}", place=found, text=text)


def code_of(python: Python, part: Level | Frame) -> Code | None:
    """Its code object; None for a future, a builtin, or an index that the target's bytes got wrong."""
    if part.code is None or not 0 <= part.code < len(python.codes):
        return None
    return python.codes[part.code]
