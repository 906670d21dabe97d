"""The functions, classes, imports and constants of one adapter's source, and who calls whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from qqdiag.patch.constants import computed_of, constants_of, dotted, read_import
from qqdiag.patch.values import Thing, Value


@dataclass(eq=False)
class Function:
    """A function of the module, or a method of the adapter's class."""

    name: str
    node: cst.FunctionDef
    owner: str | None  # the class, None for a function of the module
    parameters: tuple[str, ...]
    defaults: Mapping[str, cst.BaseExpression]
    is_property: bool
    is_static: bool
    positional: int = 0  # how many of the parameters are taken by position
    is_generator: bool = False
    is_small: bool = False  # it awaits nothing: its answer decides, or what it sets
    decorators: tuple[cst.BaseExpression, ...] = ()  # those that are not Python's own, the outermost first
    calls: frozenset[str] = frozenset()  # names of what it calls: `self._open()` and `_open()` are both `_open`
    marks: frozenset[str] = frozenset()  # names that it calls, reads or sets


@dataclass(eq=False)
class Code:
    """A parsed module; `adapter` is the class that opens the WebSocket."""

    module: cst.Module
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, cst.ClassDef] = field(default_factory=dict)
    methods: dict[tuple[str, str], Function] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)
    computed: dict[str, cst.BaseExpression] = field(default_factory=dict)  # what the module sets, but for constants
    attributes: dict[str, dict[str, Value]] = field(default_factory=dict)  # constants of a class
    made: dict[tuple[str, str], cst.BaseExpression] = field(default_factory=dict)  # a class's other attributes
    worked_out: dict[cst.CSTNode, Value | None] = field(default_factory=dict)  # values of those, and of decorators
    inner: dict[cst.CSTNode, Function] = field(default_factory=dict)  # functions inside functions, and lambdas
    reached_by: dict[Function, frozenset[str]] = field(default_factory=dict)
    adapter: str = ""
    changed: dict[cst.CSTNode, frozenset[str]] = field(default_factory=dict)  # by block: the fields that it sets

    @cached_property
    def positions(self) -> Mapping[cst.CSTNode, object]:
        return MetadataWrapper(self.module, unsafe_skip_copy=True).resolve(PositionProvider)

    def line(self, node: cst.CSTNode) -> int:
        """1-based; 0 for a node that is not of this source."""
        where = self.positions.get(node)
        return int(where.start.line) if where is not None else 0  # type: ignore[attr-defined]

    def method(self, name: str, owner: str | None = None) -> Function | None:
        """Found along the bases that this module defines."""
        at, seen = owner or self.adapter, set[str]()
        while at in self.classes and at not in seen:
            seen.add(at)
            if (at, name) in self.methods:
                return self.methods[at, name]
            at = next((base for base in self.bases(at) if base in self.classes), "")
        return None

    def bases(self, name: str) -> list[str]:
        """The last part of each base's name."""
        return [dotted(arg.value).rpartition(".")[2] for arg in self.classes[name].bases]

    def lineage(self, name: str) -> tuple[str, ...]:
        """A class and what it derives from, as far as this module and the builtins say."""
        found = [name]
        for one in found:
            if len(found) > 20:
                break
            bases = self.bases(one) if one in self.classes else _builtin_bases(one)
            found += [base for base in bases if base not in found]
        return tuple(found)

    def everything(self) -> Iterator[Function]:
        """The methods of the adapter's class and its bases, and the functions of the module."""
        yield from self.functions.values()
        for (owner, name), found in self.methods.items():
            if self.method(name) is found or owner == self.adapter:
                yield found

    def resolve(self, name: str) -> Function | None:
        return self.method(name) or self.functions.get(name)

    def reached(self, start: Function) -> frozenset[str]:
        """The marks of a function and of all that it calls in this module."""
        seen, waiting, marks = {start.name}, [start], set[str]()
        while waiting:
            function = waiting.pop()
            marks |= function.marks
            handed_on = {name for name in function.marks if name in self.functions}
            for name in sorted((function.calls | handed_on) - seen):
                seen.add(name)
                called = self.resolve(name)
                waiting += [called] if called is not None else []
        return frozenset(marks)

    @cached_property
    def assigned(self) -> frozenset[str]:
        """Attributes that some method sets, or changes in place."""
        targets: list[cst.CSTNode] = []
        for function in self.everything():
            for node in all_nodes(function.node.body):
                if isinstance(node, cst.AssignTarget | cst.AugAssign | cst.AnnAssign):
                    targets += _parts_of(node.target)
                elif isinstance(node, cst.Attribute) and node.attr.value in CHANGERS:
                    targets.append(node.value)
        return frozenset(target.attr.value for target in targets if isinstance(target, cst.Attribute))

    def reach_of(self, function: Function) -> frozenset[str]:
        """Also of a function inside another one."""
        if function not in self.reached_by:
            self.reached_by[function] = self.reached(function)
        return self.reached_by[function]

    def reach_of_block(self, body: cst.BaseSuite) -> frozenset[str]:
        """The names that a block uses, by itself and through what it calls in this module."""
        names = {one.value if isinstance(one, cst.Name) else one.attr.value for one in all_nodes(body)
                 if isinstance(one, cst.Name | cst.Attribute)}  # fmt: skip
        return frozenset(names).union(*(self.reach[name] for name in sorted(names) if name in self.reach))

    @cached_property
    def reach(self) -> dict[str, frozenset[str]]:
        """By function name."""
        return {function.name: self.reached(function) for function in self.everything()}


# Methods of lists, sets, dicts and deques that change them.
CHANGERS = frozenset(
    (
        *("append", "appendleft", "extend", "insert", "remove", "pop", "popleft", "clear"),
        *("add", "discard", "update", "setdefault", "popitem"),
    )
)


def _parts_of(target: cst.CSTNode) -> list[cst.CSTNode]:
    """What an assignment changes: of `a.b, c[0] = …` both `a.b` and `c`."""
    if isinstance(target, cst.Tuple | cst.List):
        return [part for element in target.elements for part in _parts_of(element.value)]
    return [target.value] if isinstance(target, cst.Subscript) else [target]


def _builtin_bases(name: str) -> list[str]:
    import builtins

    found = getattr(builtins, name, None)
    return (
        [base.__name__ for base in found.__mro__[1:-1]] if isinstance(found, type) else ["Exception", "BaseException"]
    )


INNER = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


@lru_cache(maxsize=100_000)  # libcst finds the children of a node anew each time
def nodes(node: cst.CSTNode) -> tuple[cst.CSTNode, ...]:
    """A node and all below it, in the order of the source; the functions inside a function are left out."""
    waiting, found = [node], list[cst.CSTNode]()
    while waiting:
        one = waiting.pop()
        found.append(one)
        if one is not node and isinstance(one, INNER):
            continue
        waiting += reversed(
            [child for child in one.children if not isinstance(child, cst.BaseParenthesizableWhitespace)]
        )
    return tuple(found)


def all_nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all below it, the functions inside a function too."""
    for one in nodes(node):
        yield one
        if one is not node and isinstance(one, INNER):
            yield from all_nodes(one.body)


def read_code(module: cst.Module) -> Code:
    """Everything that the module defines at its top, and in the classes there."""
    code = Code(module)
    _read_block(code, module.body)
    return code


def _read_block(code: Code, body: object) -> None:
    assert isinstance(body, list | tuple)
    for statement in body:
        if isinstance(statement, cst.FunctionDef):
            code.functions[statement.name.value] = function_of(statement, None)
        elif isinstance(statement, cst.ClassDef):
            _read_class(code, statement)
        elif isinstance(statement, cst.SimpleStatementLine):
            for small in statement.body:
                read_import(small, code.imported)
                code.constants.update(constants_of(small))
                code.computed.update(computed_of(small))
        elif isinstance(statement, cst.If | cst.Try):
            _read_guarded(code, statement)


def _read_guarded(code: Code, statement: cst.If | cst.Try) -> None:
    """`try: import aiohttp`, `if TYPE_CHECKING:` and their like."""
    _read_block(code, statement.body.body)
    others = [statement.orelse] if isinstance(statement, cst.If) else list(statement.handlers)
    for other in others:
        if isinstance(other, cst.If):
            _read_guarded(code, other)
        elif isinstance(other, cst.Else):
            _read_block(code, other.body.body)


def _read_class(code: Code, node: cst.ClassDef) -> None:
    name = node.name.value
    code.classes[name], code.attributes[name] = node, {}
    for statement in node.body.body:
        if isinstance(statement, cst.FunctionDef):
            code.methods[name, statement.name.value] = function_of(statement, name)
        elif isinstance(statement, cst.SimpleStatementLine):
            for small in statement.body:
                code.attributes[name].update(constants_of(small))
                code.made.update({(name, one): value for one, value in computed_of(small).items()})


SMALL = 150  # nodes; about ten lines


def _is_small(parts: Sequence[cst.CSTNode]) -> bool:
    return len(parts) <= SMALL and not any(isinstance(part, cst.While | cst.For | cst.Try) for part in parts)


OF_PYTHON = frozenset({"property", "cached_property", "functools.cached_property", "staticmethod", "classmethod"})


def function_of(node: cst.FunctionDef, owner: str | None) -> Function:
    parameters = [*node.params.posonly_params, *node.params.params, *node.params.kwonly_params]
    decorators = {dotted(one.decorator) for one in node.decorators}
    called, marks = set[str](), set[str]()
    for part in (one for whole in (node.body, *node.decorators) for one in all_nodes(whole)):
        if isinstance(part, cst.Attribute):
            marks.add(part.attr.value)
            called.add(part.attr.value)  # a property is called without brackets
        elif isinstance(part, cst.Name):
            marks.add(part.value)
        elif isinstance(part, cst.With):
            marks |= {f"with {one.item.attr.value}" for one in part.items if isinstance(one.item, cst.Attribute)}
        if isinstance(part, cst.Call) and isinstance(part.func, cst.Name):
            called.add(part.func.value)
    return Function(
        node.name.value,
        node,
        owner,
        tuple(one.name.value for one in parameters),
        {one.name.value: one.default for one in parameters if one.default is not None},
        bool(decorators & {"property", "cached_property", "functools.cached_property"}),
        "staticmethod" in decorators,
        len(node.params.posonly_params) + len(node.params.params),
        any(isinstance(part, cst.Yield) for part in nodes(node.body)),
        node.asynchronous is None and _is_small(nodes(node.body)),
        tuple(one.decorator for one in node.decorators if dotted(one.decorator) not in OF_PYTHON),
        frozenset(called),
        frozenset(marks),
    )


def thing_of(code: Code, name: str) -> Thing | None:
    """What a name of the module stands for, when it is no constant."""
    if name in code.functions:
        return Thing(f"def:{name}")
    if name in code.classes:
        return Thing(f"class:{name}")
    if name in code.imported:
        return Thing(code.imported[name])
    return None
