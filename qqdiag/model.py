"""The words that everything shares: typed texts, sentences with typed arguments, and `Missing`.

No text of a target travels as a bare `str`. Each is wrapped, where it is read, in the class that says what it is;
`redact.py` has one conversion to a public text for each class, and there is no other way out: `str()`, `format()`
and pickling of a `Text` raise.
"""

from __future__ import annotations

from typing import NoReturn, TypeVar

import msgspec

T = TypeVar("T", bound="Text")


class Text:
    """A text from outside. `reveal()` is for collectors, signatures and the capture codec, never for renderers."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._value == self._value

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __str__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} has no public text: redact.py makes one")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError(f"{type(self).__name__} has no public text: redact.py makes one")

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled: only a capture holds it")


class Word(Text):
    """A word that the target did not choose: a state, a system call, a kernel function, an id of ours."""


class Name(Text):
    """An identifier in code: a qualname, a type, an attribute. Public when it looks like one."""


class CodePath(Text):
    """The file name of a code object. Public from the distribution on, or its last two parts."""


class TaskName(Text):
    """The name of an asyncio task or a thread. It may carry a user's id: only `Task-7` and its like are public."""


class Address(Text):
    """An IP address without its port. Public as a pseudonym with its scope (`lo`, `lan-1`, `pub-2`)."""


class Path(Text):
    """A path of the target's file system (not of code)."""


class Host(Text):
    """A host name."""


class User(Text):
    """A user name."""


class Id(Text):
    """An identifier of somebody or something: session, openid, app id, container."""


class Secret(Text):
    """A value that may be a credential: an argument, an environment value."""


class FreeText(Text):
    """Anything a person or a peer wrote: a log line, an exception message, a close reason."""


class FixedText(Text):
    """Text that stands in the target's source code: of a log call, between its arguments. Public as code is."""


class Command(Text):
    """A command that the operator can paste. Public only where each of its words is one of ours or a number."""


class Seconds(float):
    """A duration in seconds, rendered as `41 m 12 s`."""

    __slots__ = ()


class Moment(float):
    """A time in seconds since 1970, rendered in UTC."""

    __slots__ = ()


class Millis(float):
    """A duration in milliseconds, rendered as `0.43 ms`."""

    __slots__ = ()


class Bytes(int):
    """A size in bytes."""

    __slots__ = ()


class Percent(float):
    """A share in percent (0 to 100 a core)."""

    __slots__ = ()


class Hex(int):
    """An address in the target's memory."""

    __slots__ = ()


Value = Text | Seconds | Millis | Bytes | Percent | Hex | int | float | bool


class Say:
    """One sentence: a constant template with `{names}`, and a typed value for each.

    The template is a literal of our own source (a test holds that), so that a sentence is public as soon as its
    values are. A value may be a sentence itself.
    """

    __slots__ = ("template", "values")

    def __init__(self, template: str, /, **values: Value | Say) -> None:
        self.template = template
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Say) and (other.template, other.values) == (self.template, self.values)

    def __hash__(self) -> int:
        return hash((self.template, tuple(sorted(self.values))))

    def __repr__(self) -> str:
        return f"Say({self.template!r})"


def times(count: int) -> Say:
    """`once`, `3 times`. Other words are put before their number: `tasks: 1`."""
    return Say("once") if count == 1 else Say("{count} times", count=count)


class Missing(msgspec.Struct, frozen=True, tag="missing"):
    """Evidence that could not be had: why, and what to type to get it."""

    reason: Say
    hint: Say
