"""Which attribute names a class's own code uses: what else is a key of `__dict__` is data, a user's id among it.

Code names an attribute in its co_names (STORE_ATTR, LOAD_ATTR) or in `__slots__`; `setattr(self, key, value)` and
`self.__dict__[key]` leave no such trace.
"""

from __future__ import annotations

from collections.abc import Iterator

from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable

MAX_CLASSES = 40  # of one order of resolution
MAX_MEMBERS = 1_000  # of one class
MAX_NAMES = 2_000  # of one code object
# What holds a function behind its header (Objects/descrobject.c, propertyobject; Objects/funcobject.c, classmethod).
WRAPPERS = {"builtins.property": 3, "builtins.classmethod": 1, "builtins.staticmethod": 1}


class AttributeNames:
    """The names by class, each class read once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._by_class: dict[int, frozenset[str]] = {}

    def of(self, info: TypeInfo) -> frozenset[str]:
        """What the methods of a class and of those it derives from use, and its slots; without what cannot be read."""
        found: set[str] = set()
        for pointer in info.ancestors[:MAX_CLASSES]:
            if pointer not in self._by_class:
                self._by_class[pointer] = frozenset(self._of_one(pointer))
            found |= self._by_class[pointer]
        shape = self._runtime.objects.shapes.get(info.address)
        return frozenset(found | shape.slots.keys()) if shape else frozenset(found)

    def _of_one(self, pointer: int) -> Iterator[str]:
        objects = self._runtime.objects
        try:
            namespace = objects.read_word(pointer + objects.layout.type_dict)
            members = objects.pairs(namespace, MAX_MEMBERS) if namespace else []
        except Unreadable:
            return
        for _, member in members:
            for function in self._functions(member):
                yield from self._used(function)

    def _functions(self, member: int) -> list[int]:
        """The functions that a member of a class is or wraps."""
        objects = self._runtime.objects
        try:
            dotted = objects.type_of(member).dotted
            header = objects.layout.object_type + 8
            count = WRAPPERS.get(dotted, 0)
            held = [objects.read_word(member + header + 8 * place) for place in range(count)] or [member]
            return [one for one in held if one and objects.type_of(one).dotted == "builtins.function"]
        except Unreadable:
            return []

    def _used(self, function: int) -> list[str]:
        objects = self._runtime.objects
        try:
            code = objects.read_word(function + objects.layout.function_code)
            names = objects.read_word(code + objects.layout.code_names)
            return [name for item in objects.items(names, MAX_NAMES) if (name := objects.text(item)) is not None]
        except Unreadable:
            return []
