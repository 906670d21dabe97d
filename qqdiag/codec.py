"""A snapshot as bytes and back: for captures alone, as it unwraps every private text (`model.Text`).

MessagePack, because JSON has no infinite numbers. What is decoded is validated: a capture may come from anybody.
"""

from __future__ import annotations

from string import Formatter
from typing import Any

import msgspec

from qqdiag.model import Bytes, Hex, Millis, Percent, Say, Seconds, Text, Value
from qqdiag.snapshot import Snapshot

TEMPLATE_MAX = 1_000  # characters of a sentence
NESTED_MAX = 20  # sentences in sentences

_TEXTS = {kind.__name__: kind for kind in Text.__subclasses__()}
_NUMBERS: dict[str, type[int] | type[float]] = {
    kind.__name__: kind for kind in (Seconds, Millis, Percent, Bytes, Hex, bool, int, float)
}


def encode(snapshot: Snapshot) -> bytes:
    """Everything in a snapshot, private texts included."""
    return msgspec.msgpack.encode(snapshot, enc_hook=_plain)


def decode(data: bytes) -> Snapshot:
    """The snapshot of `encode`. Raises msgspec.MsgspecError, ValueError and RecursionError for anything else."""
    return msgspec.msgpack.decode(data, type=Snapshot, dec_hook=_typed)


def _plain(value: object) -> object:
    if isinstance(value, Text):
        return _characters(value.reveal())
    if isinstance(value, Say):
        return [value.template, {name: _tagged(part) for name, part in value.values.items()}]
    raise NotImplementedError(type(value).__qualname__)


def _characters(text: str) -> str | bytes:
    """Text, or its bytes where it holds half a surrogate pair, which MessagePack does not take."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def _tagged(value: Value | Say) -> list[object]:
    if isinstance(value, Say):
        return ["Say", _plain(value)]
    if isinstance(value, Text):
        return [type(value).__name__, _characters(value.reveal())]
    return [type(value).__name__, float(value) if isinstance(value, float) else int(value)]


def _typed(kind: type, value: Any) -> Any:
    if kind is Say:
        return _sentence(value, NESTED_MAX)
    if issubclass(kind, Text):
        return kind(_text(value))
    raise ValueError("a value of an unknown type")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogatepass")
    if isinstance(value, str):
        return value
    raise ValueError("a text is not a text")


def _sentence(value: object, nested: int) -> Say:
    if not (nested and isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict)):
        raise ValueError("a sentence is not a sentence")
    template, values = _text(value[0]), {_text(name): _value(part, nested) for name, part in value[1].items()}
    fields = {name for _, name, form, conversion in Formatter().parse(template) if name is not None}
    if len(template) > TEMPLATE_MAX or not all(name.isidentifier() for name in fields) or fields != set(values):
        raise ValueError("a sentence does not fit its values")
    sentence = Say.__new__(Say)  # restored as it was written: its template was a literal of ours then
    sentence.template, sentence.values = template, values
    return sentence


def _value(value: object, nested: int) -> Value | Say:
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)):
        raise ValueError("a value without its type")
    kind, content = value
    if kind == "Say":
        return _sentence(content, nested - 1)
    if kind in _TEXTS:
        return _TEXTS[kind](_text(content))
    if kind in _NUMBERS and isinstance(content, int | float):
        return _NUMBERS[kind](content)
    raise ValueError("a value of an unknown type")
