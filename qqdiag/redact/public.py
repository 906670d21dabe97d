"""Which texts of the target are public as they are: code names, code paths, words, task names of known shapes.

Each function gives the public text, or None where the value has another shape than its class promises: it may then
be anything, a user's id among it.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+:/|#-]{0,59}|[a-z]{1,12}( [a-z]{1,12}){1,3}|[?-]")
_PART = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]{0,79}|<(locals|lambda|module|listcomp|dictcomp|setcomp|genexpr|string|stdin)>"
)
_NAME_LENGTH = 200
_FIXED_LENGTH = 400
_PLAIN = {"\u2014": "-", "\u2013": "-", "\u2026": "...", "\u2192": "->", "\u2019": "'", "\n": " ", "\t": " "}
# What no programmer writes: a number of 7 digits and more, a UUID, an IPv4 address, and the mixture of a key.
_NUMBER = re.compile(r"[0-9]{7}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-|[0-9]{1,3}(\.[0-9]{1,3}){3}")
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_DIGIT_CHANGE = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_CASE_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[a-z])")

_TASK_NAMES = re.compile(
    r"(Task|Dummy)-[0-9]{1,9}"
    r"|Thread-[0-9]{1,9}( \([A-Za-z_][A-Za-z0-9_]{0,40}\))?"
    r"|(asyncio|ThreadPoolExecutor-[0-9]{1,6})_[0-9]{1,6}"
    r"|MainThread|QueueFeederThread|QueueManagerThread|pymain|uvloop|python(3(\.[0-9]{1,2})?)?|hermes|qqdiag"
)

# Hosts of the platforms' and models' vendors: whom a gateway talks to is the same for all who run it.
_VENDORS = re.compile(
    r"(?:api\.sgroup\.qq\.com|sandbox\.api\.sgroup\.qq\.com|bots\.qq\.com|q\.qq\.com"
    r"|api\.telegram\.org|discord\.com|gateway\.discord\.gg|slack\.com|open\.feishu\.cn|api\.dingtalk\.com"
    r"|qyapi\.weixin\.qq\.com|api\.openai\.com|api\.anthropic\.com|openrouter\.ai|api\.deepseek\.com"
    r"|dashscope\.aliyuncs\.com|open\.bigmodel\.cn|api\.moonshot\.cn|generativelanguage\.googleapis\.com|github\.com)"
)

_INSTALLED = re.compile(r".*/(?:site|dist)-packages/")
# lib/python3.12/asyncio/tasks.py, lib64/python3.13t/…, and lib/python312.zip
_STANDARD = re.compile(r".*/(?:python3\.[0-9]{1,2}t?|python3[0-9]{1,2}\.zip)/")
_PERSONAL = re.compile(r"/(?:(?:home|Users|var/home|export/home|data/home)/[^/]*|root)(?=/)")
_FROZEN = re.compile(r"<(?:frozen [A-Za-z0-9_.]{1,80}|string|stdin|unknown|attrs generated [a-z]{1,20})>")
_SCRIPT = re.compile(r"(?:.*/)?s?bin/([a-z][a-z0-9_.-]{0,30})")  # the start script of a package has no suffix
_FILE = re.compile(r".*\.(?:py|pyw|pyx|pxd|pxi|pyc)")
_PATH_PART = re.compile(r"[A-Za-z0-9_.+-]{1,60}")


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
    if script := _SCRIPT.fullmatch(value):
        return None if _looks_random(script[1]) else f"bin/{script[1]}"
    for known in (_INSTALLED, _STANDARD):
        if found := known.match(value):
            return _tail(value[found.end() :], 6)
    return _tail(_PERSONAL.sub("", value, count=1), 2)


def host(value: str) -> str | None:
    """A vendor's public host; a name below one may be a customer's own."""
    name = value.lower().rstrip(".")
    return name if _VENDORS.fullmatch(name) else None


def task_name(value: str) -> str | None:
    """The names that asyncio and threading give by themselves."""
    return value if _TASK_NAMES.fullmatch(value) else None


def fixed_text(value: str) -> str | None:
    """Text of a log call in a source, in ASCII; nothing where a word of it looks like a key or an address."""
    if len(value) > _FIXED_LENGTH or any(_looks_random(word) for word in value.split()):
        return None
    return "".join(one if " " <= one <= "~" else _PLAIN.get(one, "?") for one in value)


def _tail(path: str, parts: int) -> str | None:
    tail = path.strip("/").split("/")[-parts:]
    return "/".join(_path_part(part) for part in tail) if _FILE.fullmatch(tail[-1]) else None


def _path_part(part: str) -> str:
    return part if _PATH_PART.fullmatch(part) and not _looks_random(part) else "?"


def _looks_random(value: str) -> bool:
    return bool(_NUMBER.search(value)) or any(_is_mixture(run) for run in _RUN.findall(value))


def _is_mixture(run: str) -> bool:
    """Keys change between letters and digits or between cases every other character; names are words.

    Of 6,946 runs of 16 and more characters in the names of the standard library and of a large gateway 13 look so.
    """
    digits, cases = len(_DIGIT_CHANGE.findall(run)), len(_CASE_CHANGE.findall(run))
    share = (digits + cases) / len(run)
    return 5 * digits > len(run) or share > 0.5 or (digits > 2 and share > 0.4)
