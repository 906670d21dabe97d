"""An adapter's source file: read, parsed, and told apart from what is none."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

from qqdiag.errors import NoSuchTarget, NotPermitted, NotReadable, UsageError
from qqdiag.model import CodePath, Say
from qqdiag.patch.code import read_code
from qqdiag.patch.judged import Adapter
from qqdiag.patch.roles import NoAdapter, find_roles

LARGEST = 2 << 20  # bytes; the adapter of hermes 0.19.0 has 125 KB
DEEPEST = 100  # brackets within brackets; libcst's parser calls itself for each
LONGEST = 2000  # bytes of an expression; the longest in the adapter of hermes 0.19.0 has 260
PARTS = ("lib", "python3*", "site-packages", "gateway", "platforms", "qqbot", "adapter.py")  # below a folder given


@dataclass(frozen=True)
class Source:
    """A file that is an adapter for the QQ gateway."""

    path: CodePath
    text: bytes
    adapter: Adapter


def read(path: Path) -> Source:
    """The adapter at a path: a file, or the folder that hermes is installed in.

    :raises NoSuchTarget, NotPermitted, NotReadable: as they say
    """
    return parse(_bytes(_file(path)), CodePath(str(path if path.is_file() else _file(path))))


def parse(text: bytes, path: CodePath) -> Source:
    """The adapter in a file's bytes.

    :raises NotReadable: no Python, or no adapter for the QQ gateway
    """
    if re.search(rb"\r(?!\n)", text):
        raise NotReadable(Say("{path} has lines that end with a carriage return alone", path=path), _ANOTHER)
    deepest, longest = _depth(text)
    if deepest > DEEPEST:
        raise NotReadable(Say("{path} has more than {n} brackets in each other", path=path, n=DEEPEST), _ANOTHER)
    if longest > LONGEST:
        raise NotReadable(Say("{path} has an expression of more than {n} bytes", path=path, n=LONGEST), _ANOTHER)
    try:
        return _parsed(text, path)
    except (RecursionError, KeyError) as error:  # where libcst's walk is cut off, it asks for what it has not kept
        raise NotReadable(Say("{path} is nested too deeply", path=path), _ANOTHER) from error


def _parsed(text: bytes, path: CodePath) -> Source:
    try:
        module = cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise NotReadable(
            Say("{path} cannot be parsed: line {line} is no Python", path=path, line=error.raw_line),
            Say("see what that line says; an interrupted copy or edit leaves such a file"),
        ) from error
    except (SyntaxError, ValueError, LookupError) as error:  # an encoding, a null byte
        raise NotReadable(Say("{path} is no text in the encoding that it says", path=path), _ANOTHER) from error
    code = read_code(module)
    len(code.positions)  # the whole tree is walked here, so that its depth shows now
    try:
        return Source(path, text, Adapter(code, find_roles(code)))
    except NoAdapter as problem:
        raise NotReadable(Say("{path} is not judged: {why}", path=path, why=problem.reason), _ANOTHER) from problem


_ANOTHER = Say("give the path of gateway/platforms/qqbot/adapter.py")


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for first in reversed(range(len(PARTS))):
        found = sorted(path.glob("/".join(PARTS[first:])))
        if found:
            return found[0]
    raise UsageError(Say("there is no adapter for the QQ gateway in this folder"), _ANOTHER)


def _bytes(path: Path) -> bytes:
    try:
        # A FIFO must not be waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise NotReadable(Say("this is no regular file"), _ANOTHER)
            text = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise NoSuchTarget(Say("there is no such file"), _ANOTHER) from error
    except PermissionError as error:
        raise NotPermitted(Say("this file may not be read"), Say("run it with sudo")) from error
    except OSError as error:
        raise NotReadable(Say("this file cannot be read (error {n})", n=error.errno or 0), _ANOTHER) from error
    if len(text) > LARGEST:
        raise NotReadable(Say("this file has more than {n} bytes", n=LARGEST), _ANOTHER)
    return text


def _depth(text: bytes) -> tuple[int, int]:
    """Opening brackets that are not closed yet, and bytes of an expression without a comma, at most; libcst's parser
    calls itself for both. Those inside texts and comments count too, which is harmless: an adapter stays far below."""
    depth = deepest = length = longest = 0
    for byte in text:
        length += 1
        if byte in b"([{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b")]}":
            depth = max(depth - 1, 0)
        elif byte in b",;" or (byte == NEWLINE and not depth):
            longest = max(longest, length)
            length = 0
    return deepest, max(longest, length)


NEWLINE = 10
