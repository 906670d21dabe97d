"""One conversion for each class of `Text`: what of it is public."""

from __future__ import annotations

import re
from collections.abc import Callable

from qqdiag.model import (
    Address,
    CodePath,
    Command,
    FixedText,
    FreeText,
    Host,
    Id,
    Name,
    Path,
    Secret,
    TaskName,
    Text,
    User,
    Word,
)
from qqdiag.redact import public
from qqdiag.redact.masked_code import MaskedCode
from qqdiag.redact.pseudonyms import Pseudonyms, bucket, canonical

Conversion = Callable[[str, Pseudonyms], str]

_COMMAND_WORD = re.compile(r"-{1,2}[a-z][a-z0-9-]{0,30}|[a-z][a-z0-9_-]{0,30}|[0-9]{1,7}(\.[0-9]{1,3})?|[|>&=]{1,2}")
_COMMANDS = (
    "qqdiag inspect report capture explain signatures attach lab start list triage ps watch doctor fixes "
    "sudo su docker run exec kubectl debug systemctl restart status show kill sysctl echo cat ss strace gdb gcore "
    "pip install python python3 py-spy dump as root unit pid file target kernel yama ptrace_scope "
    "hang qq tgz md json text html hermes gateway"
)
_OUR_WORDS = frozenset(_COMMANDS.split())


def private(text: Text, mask: MaskedCode | None = None) -> bool:
    """Whether nothing of the value itself may be seen. The self-check asks this too, without any conversion."""
    value = text.reveal()
    if mask is not None and mask.hides(text):
        return True
    if isinstance(text, Address):
        ip = canonical(value)
        return not (ip and (ip.is_loopback or ip.is_unspecified))
    if isinstance(text, Command):
        return any(not _known(word) for word in value.split())
    judge = _JUDGES.get(type(text))
    return judge is None or judge(value) is None


def as_it_is(text: Text) -> str | None:
    """What is public of a text by its shape alone, without any conversion; None where nothing is."""
    judge = _JUDGES.get(type(text))
    return judge(text.reveal()) if judge is not None else None


def convert(text: Text, names: Pseudonyms, mask: MaskedCode | None = None) -> str:
    """The public form of a text; `TypeError` for a class that has none."""
    conversion = _CONVERSIONS.get(type(text))
    if conversion is None:
        raise TypeError(f"no public form is declared for {type(text).__name__}")
    if private(text, mask):
        names.note(text)
    if mask is not None and mask.hides(text):
        return _hidden(text, names)
    return conversion(text.reveal(), names)


def _hidden(text: Text, names: Pseudonyms) -> str:
    """Of somebody's own code only whether two places are the same one."""
    value = text.reveal()
    if isinstance(text, TaskName):
        return _task_name(value.partition(" (")[0], names)
    return f"<{names.name('file' if isinstance(text, CodePath) else 'code', value)}>"


def _word(value: str, names: Pseudonyms) -> str:
    return public.word(value) or "<word>"


def _name(value: str, names: Pseudonyms) -> str:
    return public.name(value) or "<name>"


def _code_path(value: str, names: Pseudonyms) -> str:
    return public.code_path(value) or "<file>"


def _task_name(value: str, names: Pseudonyms) -> str:
    return public.task_name(value) or f"<{names.name('task', value)}>"


def _address(value: str, names: Pseudonyms) -> str:
    return names.address(value)


def _host(value: str, names: Pseudonyms) -> str:
    return public.host(value) or f"<{names.name('host', value.lower().rstrip('.'))}>"


def _user(value: str, names: Pseudonyms) -> str:
    return f"<{names.name('user', value)}>"


def _id(value: str, names: Pseudonyms) -> str:
    return f"<{names.name('id', value)}>"


def _path(value: str, names: Pseudonyms) -> str:
    return f"<{names.name('path', value)}>"


def _secret(value: str, names: Pseudonyms) -> str:
    return f"<argument {bucket(value)}>"


def _free_text(value: str, names: Pseudonyms) -> str:
    return f"<text {bucket(value)}>"


def _fixed_text(value: str, names: Pseudonyms) -> str:
    text = public.fixed_text(value)
    return "<text>" if text is None else text


def _command(value: str, names: Pseudonyms) -> str:
    return " ".join(word if _known(word) else "<argument>" for word in value.split())


def _known(word: str) -> bool:
    if not _COMMAND_WORD.fullmatch(word):
        return False
    return not word[0].isalpha() or all(part in _OUR_WORDS for part in re.split("[.-]", word)) or word in _OUR_WORDS


_CONVERSIONS: dict[type[Text], Conversion] = {
    Word: _word,
    Name: _name,
    CodePath: _code_path,
    TaskName: _task_name,
    Address: _address,
    Host: _host,
    User: _user,
    Id: _id,
    Path: _path,
    Secret: _secret,
    FreeText: _free_text,
    Command: _command,
    FixedText: _fixed_text,
}
_JUDGES: dict[type[Text], Callable[[str], str | None]] = {
    Word: public.word,
    Name: public.name,
    CodePath: public.code_path,
    TaskName: public.task_name,
    FixedText: public.fixed_text,
    Host: public.host,
}
