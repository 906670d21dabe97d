"""Functions as values: closures, lambdas, partials, decorated functions, and coroutines that are awaited later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from qqdiag.patch import collected, expressions
from qqdiag.patch.code import Code, Function, function_of
from qqdiag.patch.values import NONE, SELF, Forever, Made, Raised, Several, State, Thing, Unknown, Value, about

if TYPE_CHECKING:
    from qqdiag.patch.endings import Outcome
    from qqdiag.patch.walk import Walk


def closure(code: Code, node: cst.FunctionDef | cst.Lambda, state: State) -> Made:
    """A function inside a function: it keeps the local names that it uses, as they are where it stands."""
    if node not in code.inner:
        code.inner[node] = function_of(node if isinstance(node, cst.FunctionDef) else _as_function(node), None)
    function = code.inner[node]
    kept = tuple((name, value) for name, value in sorted(state.locals.items()) if name in function.marks)
    return Made(f"closure:{function.name}", function, kept)


def _as_function(node: cst.Lambda) -> cst.FunctionDef:
    body = cst.IndentedBlock([cst.SimpleStatementLine([cst.Return(node.body)])])
    return cst.FunctionDef(cst.Name("lambda_"), node.params, body)


def own_function(walk: Walk, name: str, base: Value) -> Function | None:
    """A method of the adapter, or a function of its module."""
    if base == SELF and name.startswith("self."):
        return walk.code.method(name.removeprefix("self."))
    if name.startswith("super."):
        owner = name.split(".")[1]
        bases = (base for base in walk.code.bases(owner) if base in walk.code.classes)
        found = (walk.code.method(name.rpartition(".")[2], base) for base in bases)
        return next((one for one in found if one is not None), None)
    if name.startswith("def:"):
        return walk.code.functions.get(name.removeprefix("def:"))
    if name.startswith(f"class:{walk.code.adapter}."):
        return walk.code.method(name.rpartition(".")[2])
    return None


def bound_to(value: Value | Raised | Forever) -> Value:
    """What a method is of that was passed around by itself."""
    if isinstance(value, Thing) and value.name.partition(".")[0] in ("self", "ws", "session"):
        return Thing(value.name.partition(".")[0])
    return NONE


def enter(
    walk: Walk, value: Value, base: Value, arguments: Sequence[Value], named: dict[str, Value], state: State
) -> list[Outcome] | None:
    """A call of a function whose source is here. None: it is somebody else's."""
    if isinstance(value, Made) and value.name.startswith("closure:") and isinstance(value.function, Function):
        return _run(walk, value.function, value, arguments, named, state)
    name = value.name if isinstance(value, Thing) else "?"
    own = own_function(walk, name, base)
    if own is None:
        return None
    unbound = own.is_static or name.startswith("class:") or not own.owner
    return _run(walk, own, None, arguments if unbound else (SELF, *arguments), named, state)


def _run(
    walk: Walk,
    function: Function,
    kept: Made | None,
    arguments: Sequence[Value],
    named: dict[str, Value],
    state: State,
) -> list[Outcome]:
    instead = _decorated(walk, function)
    if instead is not None:
        return enter(walk, instead, NONE, arguments, named, state) or [(Unknown(), state)]
    if function.node.asynchronous is None or function.is_generator:
        return walk.inline(function, state, arguments, named, kept)
    return [(Made(f"coroutine:{function.name}", function, _given(arguments, named), kept), state)]


def _given(arguments: Sequence[Value], named: dict[str, Value]) -> tuple[tuple[str | int, Value], ...]:
    return (*enumerate(arguments), *named.items())


def awaited(walk: Walk, value: Made, state: State) -> list[Outcome]:
    """A coroutine of a function whose source is here, run to its end."""
    assert isinstance(value.function, Function)
    arguments = [one for place, one in value.given if isinstance(place, int)]
    named = {name: one for name, one in value.given if isinstance(name, str)}
    kept = value.kept if isinstance(value.kept, Made) else None
    return walk.inline(value.function, state, arguments, named, kept)


def _decorated(walk: Walk, function: Function) -> Value | None:
    """What the decorators of this module make of a function. None: it has none, or they leave it as it is."""
    if not function.decorators:
        return None
    if function.node not in walk.code.worked_out:
        walk.code.worked_out[function.node] = None  # a decorator that is decorated by itself
        bare: Value = Made(f"closure:{function.name}", replace(function, decorators=()))
        first, alone = bare, walk.alone()
        for node in reversed(function.decorators):
            for decorator, _ in expressions.results(alone, node, State()):
                if not isinstance(decorator, Raised | Forever):
                    made = _only(enter(alone, decorator, NONE, (bare,), {}, State()))
                    bare = made if isinstance(made, Made) else bare
        walk.code.worked_out[function.node] = bare if bare is not first else None
    return walk.code.worked_out[function.node]


def _only(outcomes: list[Outcome] | None) -> Value | None:
    value = outcomes[0][0] if outcomes is not None and len(outcomes) == 1 else None
    return None if isinstance(value, Raised | Forever) else value


def partial(arguments: Sequence[Value], named: dict[str, Value]) -> Value:
    """`functools.partial(function, …)`."""
    if not arguments:
        return Unknown()
    first, *rest = arguments
    return Made("partial", first, _given(rest, named))


def unwrapped(value: Value, base: Value) -> tuple[Value, Value, tuple[Value, ...], dict[str, Value]]:
    """What a partial is of, and the arguments that it adds."""
    before: tuple[Value, ...] = ()
    named: dict[str, Value] = {}
    while isinstance(value, Made) and value.name == "partial" and isinstance(value.function, Thing):
        before = (*(one for place, one in value.given if isinstance(place, int)), *before)
        named = {**{name: one for name, one in value.given if isinstance(name, str)}, **named}
        value = value.function
        base = bound_to(value)
    return value, base, before, named


def bind(function: Function, bound: dict[str, Value], arguments: Sequence[Value], named: dict[str, Value]) -> None:
    """The parameters of a call, `*args` and `**kwargs` among them."""
    bound.update(zip(function.parameters, arguments, strict=False))
    bound.update({name: value for name, value in named.items() if name in function.parameters})
    for name in function.parameters:
        bound.setdefault(name, Unknown(frozenset({name})))
    rest = function.node.params.star_arg
    if isinstance(rest, cst.Param):
        bound[rest.name.value] = Several(tuple(arguments[function.positional :]))
    others = function.node.params.star_kwarg
    if others is not None:
        pairs = ((name, value) for name, value in named.items() if name not in function.parameters)
        bound[others.name.value] = collected.table(pairs)


def spread(arguments: Sequence[cst.Arg], values: Sequence[Value]) -> tuple[list[Value], dict[str, Value]]:
    """Arguments by position and by name; `*many` and `**table` are taken apart."""
    positional, named = list[Value](), dict[str, Value]()
    for arg, value in zip(arguments, values, strict=True):
        if arg.keyword is not None:
            named[arg.keyword.value] = value
        elif arg.star == "**":
            named.update((str(name), one) for name, one in collected.pairs_of(value))
        elif arg.star == "*" and isinstance(value, Several):
            positional += value.items
        else:
            positional.append(value)
    return positional, named


def handed(values: Sequence[Value]) -> list[Value]:
    """Coroutines and tasks among arguments, those in a list too."""
    found: list[Value] = []
    for value in values:
        if isinstance(value, Several):
            found += handed(value.items)
        elif isinstance(value, Thing) and value.name.startswith(("coroutine:", "task", "closing:")):
            found.append(value)
    return found


def coroutines(values: Sequence[Value]) -> list[Value]:
    """Those among arguments that nobody runs yet."""
    return [value for value in handed(values) if not isinstance(value, Made) or value.name.startswith("coroutine:")]


def names_in(*values: Value) -> list[str]:
    """Where values came from, in order."""
    return sorted(about(*values))
