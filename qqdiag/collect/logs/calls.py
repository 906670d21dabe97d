"""The log calls of Python sources: level, line and fixed text of each. A program of its own.

    python -I -S calls.py < SIZE (4 bytes, big-endian) SOURCE …

For each source a line of JSON: a list of `[line, level, [text, kind, text, …]]`, where a kind is that of an argument
(`d` an integer, `f` a float, `s` any text); `null` for what is no Python. The parser's C stack can be made to overflow
by a source (documentation of `ast.parse`), and its memory to be used up, so that this runs as a child with limits.
Imports nothing of the package.
"""

from __future__ import annotations

import ast
import json
import re
import resource
import sys
from collections.abc import Iterator

MEMORY, CPU = 1 << 30, 2  # bytes, seconds
CALLS_MAX = 3000
TEXT_MAX = 400  # characters of all fixed text of one call
ARGUMENTS_MAX = 20
LEVELS = {
    **{name: name.upper() for name in ("debug", "info", "warning", "error", "critical")},
    "warn": "WARNING",
    "exception": "ERROR",
    "fatal": "CRITICAL",
    "log": "",  # any: its first argument says
}
RAISED = "RAISE"  # in the place of a level: the text of an exception
_LOGGER = re.compile(r"_*(?:[a-z_]*log(?:ger|ging)?|LOG(?:GER)?)", re.ASCII)
# A conversion as printf-style formatting has it (library reference, "printf-style String Formatting").
_CONVERSION = re.compile(
    r"%(?:\([^)]{0,80}\))?[#0 +-]{0,5}(?:\d{1,4}|\*)?(?:\.(?:\d{1,4}|\*))?[hlL]?([diouxXeEfFgGcrsa%])"
)
_KINDS = {**dict.fromkeys("diu", "d"), **dict.fromkeys("eEfFgG", "f")}

Call = tuple[int, str, list[str]]


def calls(source: bytes) -> Iterator[Call]:
    """Each log call and each exception raised with a text. SyntaxError, ValueError, RecursionError, MemoryError."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (level := _level(node.func)) is not None:
            arguments = node.args if level else node.args[1:]
            parts = _parts(arguments[0], len(arguments) > 1) if arguments else []
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            level, parts = RAISED, _parts(node.exc.args[0], False)
        else:
            continue
        if len(parts) <= 2 * ARGUMENTS_MAX + 1 and 0 < sum(map(len, parts)) <= TEXT_MAX:
            yield node.lineno, level, parts


def _level(function: ast.expr) -> str | None:
    """Of `logger.info` and its like, whatever the logger's name; None for another function."""
    if not isinstance(function, ast.Attribute) or function.attr not in LEVELS:
        return None
    owner = function.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return LEVELS[function.attr] if _LOGGER.fullmatch(name) else None


def _parts(node: ast.expr, formatted: bool) -> list[str]:
    """Fixed texts and the kinds of what stands between them; one argument of any kind where nothing is fixed.

    `formatted`: whether arguments follow, so that `%s` is one.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _converted(node.value) if formatted else [node.value]
    if isinstance(node, ast.JoinedStr):
        return _joined([_parts(value, False) for value in node.values]) if node.values else [""]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _parts(node.left, True)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        operands: list[ast.expr] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and len(operands) < ARGUMENTS_MAX:
            operands.append(node.right)
            node = node.left
        return _joined([_parts(one, formatted) for one in (node, *reversed(operands))])
    return ["", "s", ""]


def _joined(parts: list[list[str]]) -> list[str]:
    found = parts[0]
    for more in parts[1:]:
        found = [*found[:-1], found[-1] + more[0], *more[1:]]
    return found


def _converted(text: str) -> list[str]:
    found, end = [""], 0
    for hit in _CONVERSION.finditer(text):
        found[-1] += text[end : hit.start()]
        end = hit.end()
        if hit[1] == "%":
            found[-1] += "%"
        else:
            found += [_KINDS.get(hit[1], "s"), ""]
    found[-1] += text[end:]
    return found


def _answer(source: bytes) -> list[Call] | None:
    found: list[Call] = []
    try:
        for call in calls(source):
            found.append(call)
            if len(found) >= CALLS_MAX:
                break
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found or None
    return found


def main() -> None:
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))
    while size := sys.stdin.buffer.read(4):
        answer = _answer(sys.stdin.buffer.read(int.from_bytes(size, "big")))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
