"""Which texts of the target are public as they are: code names, code paths, words, task names of known shapes.

Each function gives the public text, or None where the value has another shape than its class promises: it may then
be anything, a user's id among it.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+:/|() -]{0,63}")
_PART = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]{0,79}|<(locals|lambda|module|listcomp|dictcomp|setcomp|genexpr|string|stdin)>"
)
_NAME_LENGTH = 200
# A run of letters and digits that no programmer writes: a number of 7 digits and more, or a mixture as keys are.
_NUMBER = re.compile(r"[0-9]{7}")
_MIXTURE = re.compile(r"(?=[A-Za-z]*[0-9][A-Za-z]*[0-9][A-Za-z]*[0-9])[A-Za-z0-9]{18}")

_TASK_NAMES = re.compile(
    r"(Task|Dummy)-[0-9]{1,9}"
    r"|Thread-[0-9]{1,9}( \([A-Za-z_][A-Za-z0-9_]{0,40}\))?"
    r"|(asyncio|ThreadPoolExecutor-[0-9]{1,6})_[0-9]{1,6}"
    r"|MainThread|QueueFeederThread|QueueManagerThread|pymain|uvloop|python(3(\.[0-9]{1,2})?)?|hermes|qqdiag"
)

_INSTALLED = re.compile(r".*/(?:site|dist)-packages/")
# lib/python3.12/asyncio/tasks.py, lib64/python3.13t/…, and lib/python312.zip
_STANDARD = re.compile(r".*/(?:python3\.[0-9]{1,2}t?|python3[0-9]{1,2}\.zip)/")
_PERSONAL = re.compile(r"/(?:(?:home|Users|var/home|export/home|data/home)/[^/]*|root)(?=/)")
_FROZEN = re.compile(r"<(?:frozen [A-Za-z0-9_.]{1,80}|string|stdin|unknown|attrs generated [a-z]{1,20})>")
_ODD = re.compile(r"[^A-Za-z0-9_./<>+-]")
_PATH_LENGTH = 120


def word(value: str) -> str | None:
    """A state, a system call, an id of ours."""
    return value if _WORD.fullmatch(value) and not _looks_random(value) else None


def name(value: str) -> str | None:
    """A dotted identifier, `<locals>` and its like included."""
    if len(value) > _NAME_LENGTH or _looks_random(value):
        return None
    return value if all(_PART.fullmatch(part) for part in value.split(".")) else None


def code_path(value: str) -> str | None:
    """From the distribution or the standard library on; else the last two parts, without anybody's home."""
    if _FROZEN.fullmatch(value):
        return value
    for known in (_INSTALLED, _STANDARD):
        if found := known.match(value):
            return _tail(value[found.end() :], 6)
    return _tail(_PERSONAL.sub("", value, count=1), 2)


def task_name(value: str) -> str | None:
    """The names that asyncio and threading give by themselves."""
    return value if _TASK_NAMES.fullmatch(value) else None


def _tail(path: str, parts: int) -> str | None:
    tail = "/".join(path.strip("/").split("/")[-parts:])
    return None if not tail or _looks_random(tail) else _ODD.sub("?", tail[-_PATH_LENGTH:])


def _looks_random(value: str) -> bool:
    return bool(_NUMBER.search(value) or _MIXTURE.search(value))
