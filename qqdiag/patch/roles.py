"""Who is who in an adapter, found by what each does and not by its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.calls import TASKS
from qqdiag.patch.code import Code, Function, nodes
from qqdiag.patch.constants import dotted
from qqdiag.patch.values import Known


class NoAdapter(Exception):
    """The source is no adapter that can be judged; `reason` says what it lacks."""

    def __init__(self, reason: Say) -> None:
        super().__init__(reason.template)
        self.reason = reason


@dataclass(frozen=True)
class Roles:
    """Functions and attributes of an adapter for the QQ gateway. None: no such thing was found."""

    ws: str  # the attribute that holds the WebSocket
    session: str | None  # the aiohttp session
    read: Function  # receives from the WebSocket
    opening: Function  # calls ws_connect
    listener: Function  # the task that reads and connects again
    listen_task: str | None
    beat: Function | None  # the task that sends op 1
    running: frozenset[str]  # what the listener's loop asks before each turn


def find_roles(code: Code) -> Roles:
    """Also sets `code.adapter`.

    :raises NoAdapter: nothing in it opens a WebSocket, or nothing reads it
    """
    opening = _first(function for function in _all(code) if _calls(function.node, "ws_connect"))
    if opening is None:
        raise NoAdapter(Say("nothing in it opens a WebSocket with aiohttp's ws_connect"))
    reading = [function for function in _all(code) if _received_from(function.node) is not None]
    owner = next((one.owner for one in (opening, *reading) if one.owner), None)
    if not reading or owner is None:
        raise NoAdapter(Say("no method of a class in it reads the WebSocket that it opens"))
    code.adapter = _most_derived(code, owner)
    read = reading[0]
    ws = _websocket(reading, opening)
    if ws is None:
        raise NoAdapter(Say("the attribute that holds its WebSocket was not found"))
    if not any(_compares(function.node, 10, code) for function in code.everything()):
        raise NoAdapter(Say("nothing in it answers op 10, the Hello of the QQ gateway"))
    started = list(_started(code))
    listener = _first(function for function, _ in started if "receive" in code.reach[function.name] or function is read)
    listener = listener or _first(one for one in code.everything() if _loops_over(one, read)) or read
    return Roles(
        ws=ws,
        session=_assigned(code, "ClientSession"),
        read=read,
        opening=opening,
        listener=listener,
        listen_task=next((name for function, name in started if function is listener and name), None),
        beat=_first(function for function, _ in started if 1 in _sent(code, function)),
        running=frozenset(name for name in _asked(listener, ws) if code.method(name) is None),
    )


def _first(found: Iterator[Function]) -> Function | None:
    return next(found, None)


def _all(code: Code) -> Iterator[Function]:
    yield from code.methods.values()
    yield from code.functions.values()


def _most_derived(code: Code, owner: str) -> str:
    """The class, or one of this module that derives from it."""
    derived = [name for name in code.classes if name != owner and owner in code.lineage(name)]
    return derived[-1] if derived else owner


def _calls(node: cst.CSTNode, name: str) -> bool:
    return any(
        (isinstance(part, cst.Call) and dotted(part.func).rpartition(".")[2] == name)
        or (isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute) and part.func.attr.value == name)
        for part in nodes(node)
    )  # fmt: skip


def _received_from(node: cst.FunctionDef) -> cst.BaseExpression | None:
    """What the function reads messages from: `x` of `x.receive()` and of `async for message in x`."""
    for part in nodes(node.body):
        if isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute) and part.func.attr.value == "receive":
            return part.func.value
        if isinstance(part, cst.For) and part.asynchronous is not None and _asks_type(part):
            return part.iter
    return None


def _asks_type(node: cst.For) -> bool:
    """Whether a loop looks at messages as aiohttp has them."""
    return any(isinstance(part, cst.Attribute) and part.attr.value == "WSMsgType" for part in nodes(node.body)) or any(
        isinstance(part, cst.Name) and part.value == "WSMsgType" for part in nodes(node.body)
    )


def _websocket(reading: list[Function], opening: Function) -> str | None:
    for function in reading:
        name = _own(function, _received_from(function.node))
        if name is not None:
            return name
    return next((name for name, value in assignments(opening) if _calls(value, "ws_connect")), None)


def _own(function: Function, node: cst.CSTNode | None) -> str | None:
    """`x` of `self.x`, also by way of a local variable."""
    if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value == "self":
        return node.attr.value
    if isinstance(node, cst.Name):
        for part in nodes(function.node.body):
            if isinstance(part, cst.Assign) and any(dotted(one.target) == node.value for one in part.targets):
                found = _own(function, part.value) if not isinstance(part.value, cst.Name) else None
                if found is not None:
                    return found
            if isinstance(part, cst.NamedExpr) and dotted(part.target) == node.value:
                return _own(function, part.value)
    return None


def assignments(function: Function) -> Iterator[tuple[str, cst.BaseExpression]]:
    """Attributes of self that a function sets, and to what; a local variable between is looked through."""
    values: dict[str, cst.BaseExpression] = {}
    for part in nodes(function.node.body):
        if isinstance(part, cst.Assign | cst.AnnAssign) and part.value is not None:
            targets = [one.target for one in part.targets] if isinstance(part, cst.Assign) else [part.target]
            for target in targets:
                value = values.get(part.value.value, part.value) if isinstance(part.value, cst.Name) else part.value
                if isinstance(target, cst.Name):
                    values[target.value] = value
                elif isinstance(target, cst.Attribute) and dotted(target).startswith("self."):
                    yield target.attr.value, value


def _assigned(code: Code, maker: str) -> str | None:
    for function in code.everything():
        for name, value in assignments(function):
            if _calls(value, maker):
                return name
    return None


def _started(code: Code) -> Iterator[tuple[Function, str | None]]:
    """Each function that a task is made of, and the attribute that holds the task."""
    for function in code.everything():
        kept = {id(value): name for name, value in assignments(function)}
        for part in nodes(function.node.body):
            if not isinstance(part, cst.Call) or dotted(part.func).rpartition(".")[2] not in TASKS or not part.args:
                continue
            made = part.args[0].value
            called = code.resolve(dotted(made.func).rpartition(".")[2]) if isinstance(made, cst.Call) else None
            if called is not None:
                yield called, kept.get(id(part))


def _loops_over(function: Function, read: Function) -> bool:
    return any(
        isinstance(part, cst.While) and any(dotted(one).rpartition(".")[2] == read.name for one in nodes(part.body))
        for part in nodes(function.node.body)
    )


def _sent(code: Code, function: Function) -> set[int]:
    """Op codes that a function sends, by itself or through what it calls."""
    waiting, seen, found = [function], {function.name}, set[int]()
    while waiting:
        one = waiting.pop()
        found |= set(ops_of(code, one.node))
        for name in sorted(one.calls - seen):
            seen.add(name)
            called = code.resolve(name)
            waiting += [called] if called is not None else []
    return found


def ops_of(code: Code, node: cst.CSTNode) -> Iterator[int]:
    """`n` of each `{"op": n, …}`."""
    for part in nodes(node):
        if isinstance(part, cst.DictElement) and isinstance(part.key, cst.SimpleString):
            value = number(code, part.value) if part.key.evaluated_value == "op" else None
            if value is not None:
                yield value


def number(code: Code, node: cst.BaseExpression) -> int | None:
    """An integer constant, written out or by its name."""
    if isinstance(node, cst.Integer):
        return node.evaluated_value
    value = code.constants.get(node.value) if isinstance(node, cst.Name) else None
    if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name):
        value = code.attributes.get(node.value.value, {}).get(node.attr.value)
    return value.value if isinstance(value, Known) and isinstance(value.value, int) else None


def _compares(node: cst.CSTNode, wanted: int, code: Code) -> bool:
    """Whether a function asks if something is this number."""
    return any(
        (isinstance(part, cst.Comparison)
        and any(number(code, side) == wanted for side in (part.left, *(one.comparator for one in part.comparisons))))
        or (isinstance(part, cst.MatchValue) and number(code, part.value) == wanted)
        or (isinstance(part, cst.DictElement) and number(code, part.key) == wanted)
        for part in nodes(node)
    )  # fmt: skip


def _asked(listener: Function, ws: str) -> frozenset[str]:
    tests = [part.test for part in nodes(listener.node.body) if isinstance(part, cst.While)]
    return frozenset(
        part.attr.value
        for test in tests[:1]
        for part in nodes(test)
        if isinstance(part, cst.Attribute) and dotted(part).startswith("self.") and part.attr.value != ws
    )
