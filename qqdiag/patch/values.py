"""What is known of a value while an adapter's code is followed: itself, its role, or only where it came from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Known:
    """A constant of the source: a number, a text, True, None."""

    value: Hashable


@dataclass(frozen=True)
class Thing:
    """An object that is there, by its role (`ws`, `self`) or the dotted name it was imported by."""

    name: str


@dataclass(frozen=True)
class Made(Thing):
    """Something that the code makes of a function; `name` says what.

    `closure`: a function inside another one, a lambda, or one without its decorators; `given` holds what was known
    where it stands. `partial`: of `function`, with the arguments `given`. `coroutine`: of a call that nobody has
    awaited yet, with its arguments; it runs when somebody does. `task`: of the coroutine `function`.
    """

    function: Hashable = None  # a code.Function, or the value that a partial or a task was made of
    given: tuple[tuple[str | int, Value], ...] = ()  # by name, or by position
    kept: Hashable = None  # the closure that a coroutine is a call of; what a partial is a method of


@dataclass(frozen=True)
class Several:
    """A tuple, list or set of which the elements are known."""

    items: tuple[Value, ...]


@dataclass(frozen=True)
class Table:
    """A dict with constant keys."""

    items: tuple[tuple[Hashable, Value], ...]

    def get(self, key: Hashable) -> Value:
        return dict(self.items).get(key, Known(None))


@dataclass(frozen=True)
class Unknown:
    """Any value; `about`: the attributes and variables that it was made from."""

    about: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Raised:
    """An exception on its way, by the names of its classes, the most derived first."""

    classes: tuple[str, ...]
    thing: Thing = Thing("error")


@dataclass(frozen=True)
class Forever:
    """The code goes round without an end."""


Value = Known | Thing | Several | Table | Unknown
Result = Value | Raised | Forever
SELF = Thing("self")
NONE = Known(None)


@dataclass(frozen=True)
class Event:
    """Something that the code did on its way. `line`: 1-based, of the adapter's file."""

    kind: str
    detail: str
    line: int
    value: Value = NONE
    bounded: bool = False  # inside a deadline
    decided: frozenset[str] = frozenset()  # what the tests before it looked at
    late: bool = False  # in what a timer calls


@dataclass(frozen=True)
class State:
    """One way through the code up to some statement."""

    locals: dict[str, Value] = field(default_factory=dict)
    fields: dict[tuple[Thing, str], Value] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    decided: frozenset[str] = frozenset()
    limits: int = 0  # deadlines around it
    late: bool = False
    only: frozenset[str] | None = None  # kinds of events that are asked for, in any order; then `decided` is not

    def put(self, name: str, value: Value) -> State:
        return replace(self, locals={**self.locals, name: value})

    def put_field(self, of: Thing, name: str, value: Value) -> State:
        return replace(self, fields={**self.fields, (of, name): value})

    def happened(self, kind: str, detail: str, line: int, value: Value = NONE) -> State:
        if self.only is not None and kind not in self.only:
            return self
        event = Event(kind, detail, line, value, self.limits > 0, self.decided, self.late)
        known = self.events[-8:] if self.only is None else self.events
        return replace(self, events=(*self.events, event)) if event not in known else self

    def also(self, events: Iterable[Event]) -> State:
        """After these events too."""
        state = self
        for event in events:
            known = state.events[-8:] if state.only is None else state.events
            state = state if event in known else replace(state, events=(*state.events, event))
        return state

    def here(self) -> Hashable:
        """All that a function sees which is called in this state."""
        return (frozenset(self.fields.items()), self.decided, self.limits, self.late)

    def looked_at(self, names: frozenset[str]) -> State:
        """After a test of something that was made from `names`. Of a time that has passed it is always kept."""
        new = names if self.only is None else names & {"#time"}
        return self if new <= self.decided else replace(self, decided=self.decided | new)

    def key(self) -> Hashable:
        """Equal for two ways that no later statement can tell apart."""
        return (
            frozenset(self.locals.items()),
            frozenset(self.fields.items()),
            self.events,
            self.decided,
            self.limits,
            self.late,
        )


def about(*values: Result) -> frozenset[str]:
    """Where values came from, taken together."""
    found: frozenset[str] = frozenset()
    for value in values:
        if isinstance(value, Unknown):
            found |= value.about
        elif isinstance(value, Several):
            found |= about(*value.items)
        elif isinstance(value, Table):
            found |= about(*(item for _, item in value.items))
    return found


def truth(value: Value) -> bool | None:
    """None: it may be either."""
    if isinstance(value, Known):
        return bool(value.value)
    if isinstance(value, Several | Table):
        return bool(value.items)
    return None if isinstance(value, Unknown) else True


def is_equal(left: Value, right: Value) -> bool | None:
    """Whether two values are the same; None: it cannot be told."""
    if isinstance(left, Known) and isinstance(right, Known):
        return left.value == right.value
    if isinstance(left, Thing) and isinstance(right, Thing):
        if left == right:
            return True
        kinds = [_message_kind(one.name) for one in (left, right)]
        return None if None in kinds else kinds[0] == kinds[1]
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    return None if type(left) is type(right) else False


def _message_kind(name: str) -> str | None:
    """The member of aiohttp's `WSMsgType` that a dotted name ends with."""
    _, found, kind = name.rpartition("WSMsgType.")
    return kind if found else None
