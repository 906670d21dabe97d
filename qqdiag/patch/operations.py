"""What operators and builtins of Python make of known values."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import libcst as cst

from qqdiag.patch.values import Known, Several, Table, Thing, Unknown, Value, about, is_equal, truth

_ORDER: dict[type, Callable[[Any, Any], Any]] = {
    cst.LessThan: lambda left, right: left < right,
    cst.LessThanEqual: lambda left, right: left <= right,
    cst.GreaterThan: lambda left, right: left > right,
    cst.GreaterThanEqual: lambda left, right: left >= right,
}
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    cst.Add: lambda left, right: left + right,
    cst.Subtract: lambda left, right: left - right,
    cst.BitOr: lambda left, right: left | right,
    cst.LeftShift: lambda left, right: left << min(right, 64),
}
_SIMPLE: dict[str, Callable[[Any], Any]] = {"int": int, "str": str, "bool": bool, "float": float, "len": len}
_LONGEST = 1000  # characters of a text that is made


def is_builtin(name: str) -> bool:
    return hasattr(builtins, name)


def compare(operator: cst.BaseCompOp, left: Value, right: Value) -> bool | None:
    """None: it may be either."""
    if isinstance(operator, cst.Equal | cst.Is):
        return _same(left, right)
    if isinstance(operator, cst.NotEqual | cst.IsNot):
        same = _same(left, right)
        return None if same is None else not same
    if isinstance(operator, cst.In | cst.NotIn):
        within = _contains(right, left)
        return within if within is None or isinstance(operator, cst.In) else not within
    if isinstance(left, Known) and isinstance(right, Known):
        try:
            return bool(_ORDER[type(operator)](left.value, right.value))
        except (TypeError, KeyError):
            return None
    return None


def _same(left: Value, right: Value) -> bool | None:
    if isinstance(left, Known) and isinstance(right, Known) and (left.value is None) != (right.value is None):
        return False
    return is_equal(left, right)


def _contains(many: Value, one: Value) -> bool | None:
    if isinstance(many, Table):
        return dict(many.items).get(one.value) is not None if isinstance(one, Known) else None
    if not isinstance(many, Several):
        return None
    answers = [is_equal(item, one) for item in many.items]
    return True if True in answers else None if None in answers else False


def calculate(operator: cst.BaseBinaryOp, left: Value, right: Value) -> Value:
    """`left operator right`; what is not known stays unknown."""
    if isinstance(left, Several) and isinstance(right, Several):
        return _many(operator, left, right)
    if isinstance(left, Known) and isinstance(right, Known):
        try:
            made = _ARITHMETIC[type(operator)](left.value, right.value)
        except (TypeError, KeyError, ValueError):
            return Unknown(about(left, right))
        return Known(made) if len(str(made)) < _LONGEST else Unknown()
    return Unknown(about(left, right))


def _many(operator: cst.BaseBinaryOp, left: Several, right: Several) -> Value:
    """`+` of lists, and `|`, `-`, `&` of sets."""
    if isinstance(operator, cst.Add | cst.BitOr):
        return Several((*left.items, *right.items))
    if isinstance(operator, cst.Subtract | cst.BitAnd):
        wanted = isinstance(operator, cst.BitAnd)
        return Several(tuple(one for one in left.items if (one in right.items) == wanted))
    return Unknown(about(left, right))


def builtin(name: str, arguments: tuple[Value, ...]) -> Value:
    """A call of a builtin function."""
    first = arguments[0] if arguments else None
    if name == "bool" and first is not None:
        known = truth(first)
        return Unknown(about(first)) if known is None else Known(known)
    if name in ("frozenset", "set", "tuple", "list") and (first is None or isinstance(first, Several)):
        return first or Several(())
    if name == "range" and all(isinstance(one, Known) and isinstance(one.value, int) for one in arguments):
        return _range([one.value for one in arguments if isinstance(one, Known)])
    if name == "fromkeys" and isinstance(first, Several):
        value = arguments[1] if len(arguments) > 1 else Known(None)
        return Table(tuple((one.value, value) for one in first.items if isinstance(one, Known)))
    if name in ("min", "max") and len(arguments) > 1:
        return _extreme(name, arguments)
    if name == "isinstance" and len(arguments) == 2:
        return _is_instance(arguments[0], arguments[1])
    if name in _SIMPLE and isinstance(first, Known):
        try:
            return Known(_SIMPLE[name](first.value))
        except (TypeError, ValueError):
            return Unknown()
    return Unknown(about(*arguments))


def _range(numbers: list[Any]) -> Value:
    try:
        many = range(*numbers)
    except (TypeError, ValueError):
        return Unknown()
    return Several(tuple(Known(one) for one in many)) if len(many) < _LONGEST else Unknown()


def _extreme(name: str, arguments: tuple[Value, ...]) -> Value:
    known = [one.value for one in arguments if isinstance(one, Known) and isinstance(one.value, int | float)]
    if len(known) < len(arguments):
        return Unknown(about(*arguments))
    return Known(min(known) if name == "min" else max(known))


def _is_instance(value: Value, kinds: Value) -> Value:
    wanted = kinds.items if isinstance(kinds, Several) else (kinds,)
    names = {one.name.rpartition(".")[2] for one in wanted if isinstance(one, Thing)}
    kind = {Table: "dict", Several: "list"}.get(type(value))
    if isinstance(value, Known):
        kind = type(value.value).__name__
    return Unknown(about(value)) if kind is None else Known(bool(names & {kind, "object", "Mapping"}))
