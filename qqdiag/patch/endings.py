"""Calls as a situation sees them, and the ways in which code ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from qqdiag.patch.values import NONE, Event, Raised, Result, State, Value


@dataclass(frozen=True)
class Call:
    """One call, as a situation sees it. `name`: dotted, from the thing that it is a method of (`ws.receive`)."""

    name: str
    of: Value
    arguments: tuple[Value, ...]
    named: dict[str, Value]
    state: State
    line: int


Outcome = tuple[Result, State]
Situation = Callable[[Call], list[Outcome] | None]  # None: it has nothing to say of this call


@dataclass(frozen=True)
class Ending:
    """How a block was left: `on`, `return`, `raise`, `break`, `continue`, `again` (round for ever)."""

    how: str
    state: State
    value: Result = NONE
    line: int = 0


def stopped(result: Result, state: State, line: int) -> Ending:
    return Ending("raise" if isinstance(result, Raised) else "again", state, result, line)


def distinct(states: Iterable[State]) -> list[State]:
    """Each once."""
    found = list(states)
    return found if len(found) < 2 else list({state.key(): state for state in found}.values())


def distinct_endings(endings: Iterable[Ending]) -> list[Ending]:
    """Each once."""
    found = list(endings)
    if len(found) < 2:
        return found
    return list({(one.how, one.value, one.line, one.state.key()): one for one in found}.values())


def events(endings: Iterable[Ending], kind: str) -> list[Event]:
    """Of all ways, each once."""
    return list(dict.fromkeys(event for ending in endings for event in ending.state.events if event.kind == kind))
