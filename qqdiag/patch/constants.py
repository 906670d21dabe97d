"""What statements at the top of a module or a class bind: names of imports, and constants."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from qqdiag.patch.values import Known, Value


def dotted(node: cst.CSTNode) -> str:
    """`a.b.c` of a name or an attribute; empty for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr.value}" if base else ""
    return ""


# `lazy import` of Python 3.15 has nodes of its own, which libcst before 1.9 lacks.
IMPORTS = (cst.Import, getattr(cst, "LazyImport", cst.Import))
IMPORTS_FROM = (cst.ImportFrom, getattr(cst, "LazyImportFrom", cst.ImportFrom))


def read_import(node: cst.CSTNode, imported: dict[str, str]) -> None:
    """Adds what an import statement binds: the name, and what it stands for."""
    if isinstance(node, IMPORTS):
        for alias in node.names:
            name = dotted(alias.name)
            bound = alias.asname.name if alias.asname else None
            if isinstance(bound, cst.Name):
                imported[bound.value] = name
            else:
                imported[name.split(".")[0]] = name.split(".")[0]
    elif isinstance(node, IMPORTS_FROM) and not isinstance(node.names, cst.ImportStar):
        module = dotted(node.module) if node.module else ""
        for alias in node.names:
            name = dotted(alias.name)
            bound = alias.asname.name if alias.asname else None
            imported[bound.value if isinstance(bound, cst.Name) else name] = f"{module}.{name}"


def constants_of(node: cst.CSTNode) -> dict[str, Value]:
    """`NAME = 3` and `NAME: int = 3`."""
    known = {name: literal(value) for name, value in _set_in(node)}
    return {name: value for name, value in known.items() if value is not None}


def computed_of(node: cst.CSTNode) -> dict[str, cst.BaseExpression]:
    """`NAME = frozenset({1, 2})`: all that is set to something else than a constant."""
    return {name: value for name, value in _set_in(node) if literal(value) is None}


def _set_in(node: cst.CSTNode) -> Iterator[tuple[str, cst.BaseExpression]]:
    targets = [target.target for target in node.targets] if isinstance(node, cst.Assign) else []
    targets += [node.target] if isinstance(node, cst.AnnAssign) else []
    value = node.value if isinstance(node, cst.Assign | cst.AnnAssign) else None
    for target in targets if value is not None else ():
        if isinstance(target, cst.Name) and value is not None:
            yield target.value, value
        elif isinstance(target, cst.Tuple) and isinstance(value, cst.Tuple):
            pairs = zip(target.elements, value.elements, strict=False)
            yield from ((one.value.value, given.value) for one, given in pairs if isinstance(one.value, cst.Name))


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
