"""The functions, classes, imports and constants of one adapter's source, and who calls whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from qqdiag.patch.values import Known, Thing, Value


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
    attributes: dict[str, dict[str, Value]] = field(default_factory=dict)  # constants of a class
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
            for name in sorted(function.calls - seen):
                seen.add(name)
                called = self.resolve(name)
                waiting += [called] if called is not None else []
        return frozenset(marks)

    @cached_property
    def assigned(self) -> frozenset[str]:
        """Attributes that some method sets."""
        targets = (
            node.target
            for function in self.everything()
            for node in nodes(function.node.body)
            if isinstance(node, cst.AssignTarget | cst.AugAssign | cst.AnnAssign)
        )
        return frozenset(target.attr.value for target in targets if isinstance(target, cst.Attribute))

    @cached_property
    def reach(self) -> dict[str, frozenset[str]]:
        """By function name."""
        return {function.name: self.reached(function) for function in self.everything()}


def _builtin_bases(name: str) -> list[str]:
    import builtins

    found = getattr(builtins, name, None)
    return (
        [base.__name__ for base in found.__mro__[1:-1]] if isinstance(found, type) else ["Exception", "BaseException"]
    )


def dotted(node: cst.CSTNode) -> str:
    """`a.b.c` of a name or an attribute; empty for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr.value}" if base else ""
    return ""


@lru_cache(maxsize=100_000)  # libcst finds the children of a node anew each time
def nodes(node: cst.CSTNode) -> tuple[cst.CSTNode, ...]:
    """A node and all below it, in the order of the source; the functions inside a function are left out."""
    waiting, found = [node], list[cst.CSTNode]()
    while waiting:
        one = waiting.pop()
        found.append(one)
        if one is not node and isinstance(one, cst.FunctionDef | cst.ClassDef | cst.Lambda):
            continue
        waiting += reversed(
            [child for child in one.children if not isinstance(child, cst.BaseParenthesizableWhitespace)]
        )
    return tuple(found)


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


def function_of(node: cst.FunctionDef, owner: str | None) -> Function:
    parameters = [*node.params.posonly_params, *node.params.params, *node.params.kwonly_params]
    decorators = {dotted(one.decorator) for one in node.decorators}
    called, marks = set[str](), set[str]()
    for part in nodes(node.body):
        if isinstance(part, cst.Attribute):
            marks.add(part.attr.value)
            called.add(part.attr.value)  # a property is called without brackets
        elif isinstance(part, cst.Name):
            marks.add(part.value)
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
        frozenset(called),
        frozenset(marks),
    )


def read_import(node: cst.CSTNode, imported: dict[str, str]) -> None:
    """Adds what an import statement binds: the name, and what it stands for."""
    if isinstance(node, cst.Import):
        for alias in node.names:
            name = dotted(alias.name)
            bound = alias.asname.name if alias.asname else None
            if isinstance(bound, cst.Name):
                imported[bound.value] = name
            else:
                imported[name.split(".")[0]] = name.split(".")[0]
    elif isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
        module = dotted(node.module) if node.module else ""
        for alias in node.names:
            name = dotted(alias.name)
            bound = alias.asname.name if alias.asname else None
            imported[bound.value if isinstance(bound, cst.Name) else name] = f"{module}.{name}"


def constants_of(node: cst.CSTNode) -> dict[str, Value]:
    """`NAME = 3` and `NAME: int = 3`."""
    if isinstance(node, cst.Assign):
        targets = [target.target for target in node.targets]
    elif isinstance(node, cst.AnnAssign):
        targets = [node.target]
    else:
        return {}
    value = literal(node.value)
    names = [target.value for target in targets if isinstance(target, cst.Name)]
    return dict.fromkeys(names, value) if value is not None else {}


def literal(node: cst.CSTNode | None) -> Value | None:
    """The value of a constant expression."""
    if isinstance(node, cst.Integer | cst.Float):
        return Known(node.evaluated_value)
    if isinstance(node, cst.SimpleString | cst.ConcatenatedString):
        return Known(node.evaluated_value)
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        value = literal(node.expression)
        return Known(-value.value) if isinstance(value, Known) and isinstance(value.value, int | float) else None
    if isinstance(node, cst.Name):
        named = {"True": True, "False": False, "None": None}
        return Known(named[node.value]) if node.value in named else None
    return None


def thing_of(code: Code, name: str) -> Thing | None:
    """What a name of the module stands for, when it is no constant."""
    if name in code.functions:
        return Thing(f"def:{name}")
    if name in code.classes:
        return Thing(f"class:{name}")
    if name in code.imported:
        return Thing(code.imported[name])
    return None
