"""The values of expressions on one way through the code, and what evaluating them does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import libcst as cst

from qqdiag.patch import callables, calls, collected, operations, tasks
from qqdiag.patch.code import thing_of
from qqdiag.patch.constants import dotted, literal
from qqdiag.patch.values import (
    NONE,
    SELF,
    Forever,
    Known,
    Raised,
    Result,
    Several,
    State,
    Table,
    Thing,
    Unknown,
    Value,
    about,
    truth,
)

if TYPE_CHECKING:
    from qqdiag.patch.endings import Outcome
    from qqdiag.patch.walk import Walk

Side = tuple[bool | Raised | Forever, State]


def default(walk: Walk, node: cst.BaseExpression) -> Value:
    """A parameter's default, when it is a constant."""
    found = literal(node)
    if found is None and isinstance(node, cst.Name):
        found = walk.code.constants.get(node.value) or worked_out(walk, walk.code.computed.get(node.value))
    return found or Unknown()


def results(walk: Walk, node: cst.BaseExpression | None, state: State) -> list[Outcome]:
    """Each value that an expression may have, with the state after it."""
    if node is None:
        return [(NONE, state)]
    if isinstance(node, cst.Call):
        return calls.call(walk, node, state)
    evaluate = _KINDS.get(type(node))  # libcst's nodes have an ABC for a base: isinstance takes its time
    if evaluate is not None:
        return evaluate(walk, node, state)
    constant = literal(node)
    return [(constant if constant is not None else Unknown(), state)]


def sides(walk: Walk, node: cst.BaseExpression, state: State) -> list[Side]:
    """The ways that a test may go."""
    found: list[Side] = []
    for value, after in results(walk, node, state):
        if isinstance(value, Raised | Forever):
            found.append((value, after))
            continue
        known = truth(value)
        decided = after.looked_at(about(value))
        found += [(side, decided) for side in (True, False) if known is None or known is side]
    return found


def combined(
    walk: Walk,
    expressions: Sequence[cst.BaseExpression],
    state: State,
    make: Callable[[list[Value], State], list[Outcome]],
) -> list[Outcome]:
    """What `make` gives for the values of several expressions, taken left to right."""
    ways: list[tuple[list[Value], State]] = [([], state)]
    stopped: list[Outcome] = []
    for node in expressions:
        following: list[tuple[list[Value], State]] = []
        for before, at in ways:
            for value, after in results(walk, node, at):
                if isinstance(value, Raised | Forever):
                    stopped.append((value, after))
                else:
                    following.append(([*before, value], after))
        ways = following
    return [*stopped, *(outcome for values, after in ways for outcome in make(values, after))]


# --- kinds of expressions --------------------------------------------------------------------------------------------


def _name(walk: Walk, node: cst.Name, state: State) -> list[Outcome]:
    name = node.value
    if name in state.locals:
        return [(state.locals[name], state)]
    constant = literal(node) or walk.code.constants.get(name) or worked_out(walk, walk.code.computed.get(name))
    if constant is not None:
        return [(constant, state)]
    thing = thing_of(walk.code, name)
    if thing is None and operations.is_builtin(name):
        thing = Thing(f"builtins.{name}")
    return [(thing or Unknown(frozenset({name})), state)]


def _attribute(walk: Walk, node: cst.Attribute, state: State) -> list[Outcome]:
    found: list[Outcome] = []
    for base, after in results(walk, node.value, state):
        if isinstance(base, Raised | Forever):
            found.append((base, after))
        else:
            found += attribute(walk, base, node.attr.value, after)
    return found


def attribute(walk: Walk, base: Value, name: str, state: State) -> list[Outcome]:
    """`base.name`, properties of the adapter included."""
    if not isinstance(base, Thing):
        return [(Unknown(about(base) | {name}), state)]
    if (base, name) in state.fields:
        return [(state.fields[base, name], state)]
    if base == SELF:
        method = walk.code.method(name)
        if method is not None and method.is_property:
            return walk.inline(method, state, (SELF,), {})
        if method is not None:
            return [(Thing(f"self.{name}"), state)]
        constant = None if name in walk.code.assigned else class_constant(walk, walk.code.adapter, name)
        return [(constant or Unknown(frozenset({name})), state)]
    if base.name.startswith("class:"):
        constant = class_constant(walk, base.name.removeprefix("class:"), name)
        return [(constant or Thing(f"{base.name}.{name}"), state)]
    if base.name == "ws" and name in _BELOW:
        return [(Thing(f"ws.{name}"), state)]
    if base.name in _ROLES or "#" in base.name:
        return [(Unknown(frozenset({name})), state)]
    return [(Thing(f"{base.name}.{name}"), state)]


_BELOW = frozenset({"_response", "_writer", "_conn", "transport"})  # ways to its transport, which is there
_ROLES = frozenset({"ws", "session", "listener task", "message"})


def class_constant(walk: Walk, owner: str, name: str) -> Value | None:
    """What a class sets for its instances."""
    code = walk.code
    for one in code.lineage(owner):
        if name in code.attributes.get(one, {}):
            return code.attributes[one][name]
        if (one, name) in code.made:
            return worked_out(walk, code.made[one, name])
    return None


def worked_out(walk: Walk, node: cst.BaseExpression | None) -> Value | None:
    """What a module or a class sets where it is loaded: sets of codes, tables, numbers that are calculated."""
    if node is None:
        return None
    known = walk.code.worked_out
    if node not in known:
        known[node] = None  # one that is made of itself
        found = results(walk.alone(), node, State())
        value = found[0][0] if len(found) == 1 else None
        known[node] = value if isinstance(value, Known | Several | Table) else None
    return known[node]


def _await(walk: Walk, node: cst.Await, state: State) -> list[Outcome]:
    return [
        outcome
        for value, after in results(walk, node.expression, state)
        for outcome in ([(value, after)] if isinstance(value, Raised | Forever) else tasks.finished(walk, value, after))
    ]


def _boolean(walk: Walk, node: cst.BooleanOperation, state: State) -> list[Outcome]:
    """`and` and `or` give one of their sides, and leave out the right one."""
    stops_at = isinstance(node.operator, cst.Or)
    found: list[Outcome] = []
    for left, after in results(walk, node.left, state):
        if isinstance(left, Raised | Forever):
            found.append((left, after))
            continue
        known = truth(left)
        if known is None or known is stops_at:
            found.append((left if known is not None else _as_decided(left, stops_at), after.looked_at(about(left))))
        if known is None or known is not stops_at:
            decided = after.looked_at(about(left))
            found += [(_joined(left, right), at) for right, at in results(walk, node.right, decided)]
    return found


def _as_decided(value: Value, side: bool) -> Value:
    """An unknown value of which the truth is known by now: as a constant it needs no second look."""
    return Known(side) if isinstance(value, Unknown) else value


def _joined(left: Value, right: Result) -> Result:
    return Unknown(right.about | about(left)) if isinstance(right, Unknown) else right


def _not(walk: Walk, node: cst.UnaryOperation, state: State) -> list[Outcome]:
    if not isinstance(node.operator, cst.Not):
        constant = literal(node)
        return [(constant or Unknown(), state)]
    found: list[Outcome] = []
    for value, after in results(walk, node.expression, state):
        if isinstance(value, Raised | Forever | Unknown):
            found.append((value, after))
        else:
            found.append((Known(not truth(value)), after))
    return found


def _comparison(walk: Walk, node: cst.Comparison, state: State) -> list[Outcome]:
    def made(values: list[Value], after: State) -> list[Outcome]:
        answers = [
            operations.compare(one.operator, left, right)
            for one, left, right in zip(node.comparisons, values, values[1:], strict=False)
        ]
        known = False if False in answers else None if None in answers else True
        return [(Unknown(about(*values)) if known is None else Known(known), after)]

    return combined(walk, [node.left, *(one.comparator for one in node.comparisons)], state, made)


def _binary(walk: Walk, node: cst.BinaryOperation, state: State) -> list[Outcome]:
    def made(values: list[Value], after: State) -> list[Outcome]:
        return [(operations.calculate(node.operator, values[0], values[1]), after)]

    return combined(walk, [node.left, node.right], state, made)


def _choice(walk: Walk, node: cst.IfExp, state: State) -> list[Outcome]:
    found: list[Outcome] = []
    for side, after in sides(walk, node.test, state):
        if not isinstance(side, bool):
            found.append((side, after))
        else:
            found += results(walk, node.body if side else node.orelse, after)
    return found


def _named(walk: Walk, node: cst.NamedExpr, state: State) -> list[Outcome]:
    return [
        (value, after if isinstance(value, Raised | Forever) else after.put(dotted(node.target), value))
        for value, after in results(walk, node.value, state)
    ]


def _lambda(walk: Walk, node: cst.Lambda, state: State) -> list[Outcome]:
    return [(callables.closure(walk.code, node, state), state)]


def _subscript(walk: Walk, node: cst.Subscript, state: State) -> list[Outcome]:
    index = node.slice[0].slice
    if not isinstance(index, cst.Index):
        return [(Unknown(), state)]

    def made(values: list[Value], after: State) -> list[Outcome]:
        of, key = values
        if isinstance(of, Table) and isinstance(key, Known):
            return [(of.get(key.value), after)]
        return [(Unknown(about(of, key)), after)]

    return combined(walk, [node.value, index.value], state, made)


# collected and this module import each other: its functions are looked up when they are called.
_KINDS: dict[type, Callable[..., list[Outcome]]] = {
    cst.Name: _name,
    cst.Attribute: _attribute,
    cst.Await: _await,
    cst.BooleanOperation: _boolean,
    cst.UnaryOperation: _not,
    cst.Comparison: _comparison,
    cst.BinaryOperation: _binary,
    cst.IfExp: _choice,
    cst.NamedExpr: _named,
    cst.Tuple: lambda *given: collected.several(*given),
    cst.List: lambda *given: collected.several(*given),
    cst.Set: lambda *given: collected.several(*given),
    cst.Dict: lambda *given: collected.table_of(*given),
    cst.Subscript: _subscript,
    cst.ListComp: lambda *given: collected.comprehension(*given),
    cst.SetComp: lambda *given: collected.comprehension(*given),
    cst.GeneratorExp: lambda *given: collected.comprehension(*given),
    cst.Lambda: _lambda,
}
