"""Calls on one way through the code: deadlines, tasks, exceptions, the library's part, the adapter's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

import libcst as cst

from qqdiag.patch import expressions, operations
from qqdiag.patch.code import Code, Function, dotted
from qqdiag.patch.endings import Call
from qqdiag.patch.values import NONE, SELF, Forever, Known, Raised, Several, State, Table, Thing, Unknown, Value, about

if TYPE_CHECKING:
    from qqdiag.patch.endings import Outcome
    from qqdiag.patch.walk import Walk

# With these, what is awaited or inside is given up after a time. None as the time is no deadline.
DEADLINES = ("timeout", "timeout_at", "fail_after", "move_on_after", "wait_for", "wait")
TASKS = ("create_task", "ensure_future", "run_coroutine_threadsafe", "start_soon", "call_soon")
LATER = ("call_later", "call_at")


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
        return [(value, _bound_to(value), after) for value, after in expressions.results(walk, node, state)]
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


def _bound_to(value: Value | Raised | Forever) -> Value:
    """What a method is of that was passed around by itself."""
    if isinstance(value, Thing) and value.name.partition(".")[0] in ("self", "ws", "session"):
        return Thing(value.name.partition(".")[0])
    return NONE


def is_forgotten(node: cst.BaseExpression, code: Code) -> TypeGuard[cst.Call]:
    """A coroutine that is made and not awaited: it never runs."""
    if not isinstance(node, cst.Call):
        return False
    name = dotted(node.func)
    last = name.rpartition(".")[2]
    own = code.resolve(last) if name in (last, f"self.{last}") else None
    meant = name.replace(name.split(".")[0], code.imported.get(name.split(".")[0], ""), 1)
    return meant in ("asyncio.sleep", "asyncio.wait_for") or (own is not None and own.node.asynchronous is not None)


def finished(walk: Walk, value: Value, state: State) -> list[Outcome]:
    """A coroutine of the library that is awaited, or run by a task: what it does happens now."""
    if not isinstance(value, Thing) or not value.name.startswith("closing:"):
        return [(value, state)]
    _, what, line = value.name.split(":")
    state = state.happened("close", what, int(line))
    return [(NONE, state.put_field(Thing("ws"), "closed", Known(True)) if what == "ws" else state)]


def _with_arguments(walk: Walk, node: cst.Call, function: Value, base: Value, state: State) -> list[Outcome]:
    name = function.name if isinstance(function, Thing) else "?"
    last = name.rpartition(".")[2]
    limited = last in DEADLINES and _is_deadline(walk, node, state)
    if last in (*LATER, *TASKS):  # before what it runs
        state = state.happened("later" if last in LATER else "task", name, walk.code.line(node))
    # A coroutine is followed where it is made, so the deadline is set before the arguments are looked at.
    # A task has none but its own.
    inside = replace(state, limits=0 if last in TASKS else state.limits + limited)

    def made(values: list[Value], after: State) -> list[Outcome]:
        if last in (*TASKS, *DEADLINES, "gather", "shield"):
            for value in values:
                [(_, after)] = finished(walk, value, after)
        after = replace(after, limits=state.limits)
        positional = [value for arg, value in zip(node.args, values, strict=True) if arg.keyword is None]
        named = {
            arg.keyword.value: value for arg, value in zip(node.args, values, strict=True) if arg.keyword is not None
        }
        return _done(walk, node, (name, function, base, limited), (tuple(positional), named), after)

    return expressions.combined(walk, [arg.value for arg in node.args], inside, made)


def _is_deadline(walk: Walk, node: cst.Call, state: State) -> bool:
    """Whether the call gives a time: its only argument, its second, or `timeout=`."""
    named = {arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}
    positional = [arg.value for arg in node.args if arg.keyword is None]
    name = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
    own = name in ("wait_for", "wait") or (isinstance(node.func, cst.Name) and len(node.args) > 1)
    seconds = named.get("timeout") or named.get("delay") or next(iter(positional[1 if own else 0 :]), None)
    if seconds is None:
        return False
    return all(value != NONE for value, _ in expressions.results(walk, seconds, state))


def _done(
    walk: Walk,
    node: cst.Call,
    called: tuple[str, Value, Value, bool],
    given: tuple[tuple[Value, ...], dict[str, Value]],
    state: State,
) -> list[Outcome]:
    """The call itself, its arguments being known."""

    name, function, base, limited = called
    arguments, named = given
    line = walk.code.line(node)
    said = walk.situation(Call(name, base, arguments, named, state, line))
    if said is not None:
        return said
    own = _own_function(walk, name, base)
    if own is not None:
        return walk.inline(own, state, (SELF, *arguments) if own.owner and not own.is_static else arguments, named)
    last = name.rpartition(".")[2]
    if last in DEADLINES and limited:
        for name in sorted(about(*arguments)) if last in ("wait_for", "wait") else ():
            state = state.happened("waited", name, line)
        return [(Thing("deadline") if last not in ("wait_for", "wait") else Unknown(about(*arguments)), state)]
    if last in LATER or last in ("call_soon_threadsafe", "add_done_callback", "call_soon"):
        return _called_back(walk, arguments, state)
    if last in TASKS:
        return [(Thing("task"), state)]
    if name.startswith("class:"):
        return [_made(walk, name.removeprefix("class:"), arguments, named, state, line)]
    if isinstance(base, Table) and last == "get" and arguments and isinstance(arguments[0], Known):
        found = base.get(arguments[0].value)
        return [(arguments[1] if found == NONE and len(arguments) > 1 else found, state)]
    if name.startswith("builtins."):
        return _builtin(walk, last, arguments, state)
    if last == "suppress":
        return [(Several(arguments), state)]
    for touched in sorted(about(base)):
        state = state.happened("touch", f"{touched}.{last}", line)
    if isinstance(function, Thing) and _is_exception(walk, last):
        return [(Thing(f"{last}#{line}"), state.put_field(Thing(f"{last}#{line}"), "#classes", _classes(walk, last)))]
    return [(Unknown(about(base, *arguments)), state)]


def _own_function(walk: Walk, name: str, base: Value) -> Function | None:
    """A method of the adapter, or a function of its module."""
    if base == SELF and name.startswith("self."):
        return walk.code.method(name.removeprefix("self."))
    if name.startswith("def:"):
        return walk.code.functions.get(name.removeprefix("def:"))
    if name.startswith(f"class:{walk.code.adapter}.") and isinstance(base, Thing):
        return walk.code.method(name.rpartition(".")[2])
    return None


def _called_back(walk: Walk, arguments: Sequence[Value], state: State) -> list[Outcome]:
    """What a timer calls is followed at once: it may run at any time from here on."""
    for place, value in enumerate(arguments):
        if not isinstance(value, Thing):
            continue
        own = _own_function(walk, value.name, _bound_to(value))
        if own is not None:
            # It runs later: what was decided before need not hold then.
            alone = replace(state, limits=0, decided=frozenset())
            rest = arguments[place + 1 :]
            following = walk.inline(own, alone, (SELF, *rest) if own.owner and not own.is_static else rest, {})
            return [
                (Thing("timer"), replace(after, limits=state.limits, decided=state.decided)) for _, after in following
            ]
        if value.name.startswith("ws."):
            said = walk.situation(Call(value.name, Thing("ws"), (), {}, state, 0))
            return [(Thing("timer"), after) for _, after in said or [(NONE, state)]]
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
    if name == "getattr" and len(arguments) > 1 and isinstance(arguments[1], Known):
        found: list[Outcome] = list(expressions.attribute(walk, arguments[0], str(arguments[1].value), state))
        return found
    if _is_exception(walk, name):
        thing = Thing(f"{name}#builtin")
        return [(thing, state.put_field(thing, "#classes", _classes(walk, name)))]
    return [(operations.builtin(name, arguments), state)]
