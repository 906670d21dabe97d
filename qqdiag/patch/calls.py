"""Calls on one way through the code: deadlines, tasks, exceptions, the library's part, the adapter's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

import libcst as cst

from qqdiag.patch import callables, expressions, operations, tasks
from qqdiag.patch.code import Code, nodes
from qqdiag.patch.constants import dotted
from qqdiag.patch.endings import Call
from qqdiag.patch.values import (
    NONE,
    SELF,
    Forever,
    Known,
    Made,
    Raised,
    Several,
    State,
    Table,
    Thing,
    Unknown,
    Value,
    about,
)

if TYPE_CHECKING:
    from qqdiag.patch.endings import Outcome
    from qqdiag.patch.walk import Walk

# With these, what is awaited or inside is given up after a time. None as the time is no deadline.
DEADLINES = ("timeout", "timeout_at", "fail_after", "move_on_after", "wait_for", "wait")
TASKS = ("create_task", "ensure_future", "run_coroutine_threadsafe", "start_soon", "call_soon")
LATER = ("call_later", "call_at")
LOGS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


def call(walk: Walk, node: cst.Call, state: State) -> list[Outcome]:
    """A call with all that it does: every result, with the state after it."""
    found: list[Outcome] = []
    for function, base, after in _called(walk, node.func, state):
        if isinstance(function, Raised | Forever):
            found.append((function, after))
        else:
            found += _with_arguments(walk, node, function, base, after)
    return found


def _called(walk: Walk, node: cst.BaseExpression, state: State) -> list[tuple[Value | Raised | Forever, Value, State]]:
    """What is called, what it is a method of, and the state after finding out."""
    if not isinstance(node, cst.Attribute):
        return [(value, callables.bound_to(value), after) for value, after in expressions.results(walk, node, state)]
    found: list[tuple[Value | Raised | Forever, Value, State]] = []
    for base, after in expressions.results(walk, node.value, state):
        if isinstance(base, Raised | Forever):
            found.append((base, NONE, after))
        elif isinstance(base, Thing) and base != SELF:
            found.append((Thing(f"{base.name}.{node.attr.value}"), base, after))
        elif isinstance(base, Thing):
            found += _of_self(walk, node.attr.value, after)
        else:
            found.append((Thing(f"?.{node.attr.value}"), base, after))
    return found


def _of_self(walk: Walk, name: str, state: State) -> list[tuple[Value | Raised | Forever, Value, State]]:
    """A method of the adapter; one that its module does not define is its base class's."""
    return [
        (Thing(f"self.{name}") if isinstance(value, Unknown) else value, SELF, after)
        for value, after in expressions.attribute(walk, SELF, name, state)
    ]


def is_forgotten(node: cst.BaseExpression, code: Code) -> TypeGuard[cst.Call]:
    """A coroutine that is made and not awaited: it never runs."""
    if not isinstance(node, cst.Call):
        return False
    name = dotted(node.func)
    last = name.rpartition(".")[2]
    own = code.resolve(last) if name in (last, f"self.{last}") else None
    meant = name.replace(name.split(".")[0], code.imported.get(name.split(".")[0], ""), 1)
    return meant in ("asyncio.sleep", "asyncio.wait_for") or (own is not None and own.node.asynchronous is not None)


def _with_arguments(walk: Walk, node: cst.Call, function: Value, base: Value, state: State) -> list[Outcome]:
    function, base, before, by_name = callables.unwrapped(function, base)
    name = function.name if isinstance(function, Thing) else "?"
    last = name.rpartition(".")[2]
    if last in LOGS and node.args and not any(isinstance(part, cst.Await) for part in nodes(node)):
        return [(NONE, state)]  # what a line of the log says changes nothing
    bounds = last in DEADLINES and (last != "wait" or name.startswith("asyncio."))  # an Event has a `wait` too
    limited = bounds and _is_deadline(walk, node, by_name, state)
    if last in (*LATER, *TASKS):  # before what it runs
        state = state.happened("later" if last in LATER else "task", name, walk.code.line(node))
    inside = replace(state, limits=state.limits + limited)  # `receive` and its like happen where they are called

    def made(values: list[Value], after: State) -> list[Outcome]:
        after = replace(after, limits=state.limits)
        positional, named = callables.spread(node.args, values)
        given = ((*before, *positional), {**by_name, **named})
        return _done(walk, node, (name, function, base, limited if bounds else None), given, after)

    return expressions.combined(walk, [arg.value for arg in node.args], inside, made)


LONGEST = 600.0  # seconds; more than that is no deadline for a connection


def _is_deadline(walk: Walk, node: cst.Call, by_name: dict[str, Value], state: State) -> bool:
    """Whether the call gives a time: its only argument, its second, or `timeout=`."""
    named = {arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}
    positional = [arg.value for arg in node.args if arg.keyword is None]
    name = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
    own = name in ("wait_for", "wait") or (isinstance(node.func, cst.Name) and len(node.args) > 1)
    seconds = named.get("timeout") or named.get("delay") or next(iter(positional[1 if own else 0 :]), None)
    if "timeout" in by_name and "timeout" not in named:
        return _is_time(by_name["timeout"])
    if seconds is None:
        return False
    return all(_is_time(value) for value, _ in expressions.results(walk, seconds, state))


def _is_time(value: Value | Raised | Forever) -> bool:
    """None is no deadline, and neither is a time that nobody waits for."""
    if isinstance(value, Known):
        return isinstance(value.value, int | float) and value.value <= LONGEST
    return value != Thing("math.inf")


def _done(
    walk: Walk,
    node: cst.Call,
    called: tuple[str, Value, Value, bool | None],
    given: tuple[tuple[Value, ...], dict[str, Value]],
    state: State,
) -> list[Outcome]:
    """The call itself, its arguments being known."""
    name, function, base, limited = called
    arguments, named = given
    line = walk.code.line(node)
    last = name.rpartition(".")[2]
    said = walk.situation(Call(name, base, arguments, named, state, line))
    if said is not None:
        return said
    own = callables.enter(walk, function, base, arguments, named, state)
    if own is not None:
        return own
    if limited is not None:
        return _bounded(walk, last, limited, arguments, until(arguments[1:], named, state, line), line)
    if last in LATER or last in ("call_soon_threadsafe", "add_done_callback", "call_soon"):
        return called_back(walk, (*arguments, base) if last == "add_done_callback" else arguments, state)
    if last in TASKS:
        limits = state.limits if base == Thing("task group") else 0  # a group waits for its tasks where it ends
        return tasks.in_tasks(walk, arguments, state, limits)
    if last in ("gather", "shield"):
        ways = tasks.finished(walk, Several(tuple(callables.handed(arguments))), state)
        return [(Unknown(about(*arguments)), after) for _, after in ways]
    if last in ("TaskGroup", "create_task_group"):
        return [(Thing("task group"), state)]
    if last == "partial":
        return [(callables.partial(arguments, named), state)]
    if name.startswith("class:"):
        return [_made(walk, name.removeprefix("class:"), arguments, named, state, line)]
    return _of_python(walk, (name, function, base), arguments, state, line)


def _of_python(
    walk: Walk, called: tuple[str, Value, Value], arguments: tuple[Value, ...], state: State, line: int
) -> list[Outcome]:
    """Builtins, methods of dicts and of what is not known, exceptions."""
    name, function, base = called
    last = name.rpartition(".")[2]
    if isinstance(base, Table) and last == "get" and arguments and isinstance(arguments[0], Known):
        found = base.get(arguments[0].value)
        return [(arguments[1] if found == NONE and len(arguments) > 1 else found, state)]
    if name.startswith("builtins."):
        return _builtin(walk, last, arguments, state)
    if last == "suppress":
        return [(Several(arguments), state)]
    for touched in callables.names_in(base):
        state = state.happened("touch", f"{touched}.{last}", line)
    if isinstance(function, Thing) and _is_exception(walk, last):
        return [(Thing(f"{last}#{line}"), state.put_field(Thing(f"{last}#{line}"), "#classes", _classes(walk, last)))]
    if any(isinstance(one, Made) and one.name.startswith("coroutine:") for one in arguments):
        # A coroutine that is handed on is run, without a deadline that is known.
        return [(Unknown(about(base, *arguments)), after) for _, after in tasks.in_tasks(walk, arguments, state, 0)]
    return [(Unknown(about(base, *arguments)), state)]


def until(arguments: Sequence[Value], named: dict[str, Value], state: State, line: int) -> State:
    """A time that is reckoned from a clock: what it was made from is kept."""
    seconds = (*arguments, *named.values())
    if "#time" in about(*seconds):
        for one in callables.names_in(*seconds):
            state = state.happened("until", one, line)
    return state


def _bounded(
    walk: Walk, name: str, limited: bool, arguments: tuple[Value, ...], state: State, line: int
) -> list[Outcome]:
    """`wait_for`, `wait`, and what a `with` takes for a deadline."""
    if name not in ("wait_for", "wait"):
        kind = "move_on_after" if name == "move_on_after" else "deadline"
        return [(Thing(kind if limited else "no deadline"), state)]
    if limited:
        for one in callables.names_in(*arguments):
            state = state.happened("waited", one, line)
    first = arguments[0] if arguments else NONE
    begun = [one for one in callables.handed((first,)) if isinstance(one, Made) and one.name == "task"]
    found: list[Outcome] = []
    for value, after in tasks.finished(walk, first, replace(state, limits=state.limits + limited)):
        for task in begun if limited and name == "wait" else ():
            after = tasks.given_up(task, after)
        after = replace(after, limits=state.limits)
        found.append((value if name == "wait_for" else Unknown(about(*arguments)), after))
        if limited and name == "wait_for" and not isinstance(value, Raised):
            late = after.looked_at(about(*arguments, value)).happened("timed out", name, line)
            found.append((TIMED_OUT, late))
    return found


TIMED_OUT = Raised(("TimeoutError", "OSError", "Exception", "BaseException"))


def called_back(walk: Walk, arguments: Sequence[Value], state: State) -> list[Outcome]:
    """What a timer calls is followed at once: it may run at any time from here on."""
    for place, first in enumerate(arguments):
        value, base, before, named = callables.unwrapped(first, callables.bound_to(first))
        if not isinstance(value, Thing):
            continue
        # It runs later: what was decided before need not hold then.
        alone = replace(state, limits=0, decided=frozenset(), late=True)
        rest = (*before, *arguments[place + 1 :])
        alone = alone.happened("calls", value.name.rpartition(".")[2].removeprefix("def:"), 0)
        following = callables.enter(walk, value, base, rest, named, alone)
        if following is None and value.name.startswith("ws."):
            following = walk.situation(Call(value.name, Thing("ws"), (), {}, alone, 0))
        if following is not None:
            ways = [
                replace(after, limits=state.limits, decided=state.decided, late=state.late) for _, after in following
            ]
            return [(Thing("timer"), way) for way in ways]
    return [(Thing("timer"), state)]


def _made(
    walk: Walk, name: str, arguments: tuple[Value, ...], named: dict[str, Value], state: State, line: int
) -> Outcome:
    """An object of a class of this module. An exception's `__init__` is followed: it keeps the close code."""
    thing = Thing(f"{name}#{line}")
    state = state.put_field(thing, "#classes", _classes(walk, name))
    first = walk.code.method("__init__", name)
    if first is None or not _is_exception(walk, name):
        return (thing, state)
    endings = walk.run(first, state, (thing, *arguments), named)
    after = endings[0].state if endings else state
    return (thing, replace(after, locals=state.locals, limits=state.limits))


def _is_exception(walk: Walk, name: str) -> bool:
    return "BaseException" in walk.code.lineage(name) and (
        name in walk.code.classes or name.endswith(("Error", "Exception", "Closed", "Disconnected", "Timeout"))
    )


def _classes(walk: Walk, name: str) -> Known:
    return Known(walk.code.lineage(name))


def _builtin(walk: Walk, name: str, arguments: tuple[Value, ...], state: State) -> list[Outcome]:
    if name == "super":
        return [(Thing(f"super.{walk.owner or walk.code.adapter}"), state)]
    if name == "getattr" and len(arguments) > 1 and isinstance(arguments[1], Known):
        found: list[Outcome] = list(expressions.attribute(walk, arguments[0], str(arguments[1].value), state))
        return found
    if _is_exception(walk, name):
        thing = Thing(f"{name}#builtin")
        return [(thing, state.put_field(thing, "#classes", _classes(walk, name)))]
    return [(operations.builtin(name, arguments), state)]
