"""Which objects of interest a frame holds: in its locals, on its value stack, or by attributes of those.

A walk over objects is endless if it is let: it goes two attributes deep, into instances of Python classes and small
containers only, looks at each object once, and stops after MAX_LOOKS. What it did not reach, it says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from qqdiag.cpython import attributes, frames
from qqdiag.cpython.frames import RawFrame
from qqdiag.cpython.runtime import Runtime
from qqdiag.cpython.typeinfo import TypeInfo
from qqdiag.memory.source import Unreadable

MAX_LOOKS = 20_000  # objects, over one whole walk
MAX_ITEMS = 16  # of a container: adapters are few, caches are not
MAX_WORDS = 1_000  # of one frame
CONTAINERS = ("builtins.dict", "builtins.list", "builtins.tuple", "builtins.set", "collections.deque")
# Whose instances lead everywhere and to nothing of a gateway's own; the standard library's are skipped as well.
LIBRARIES = frozenset({"aiohttp", "websockets", "httpx", "httpcore", "anyio"})

Wanted = Callable[[TypeInfo], bool]


class Reach:
    """One walk's memory of what leads where. `wanted` says which types are looked for."""

    def __init__(self, runtime: Runtime, wanted: Wanted) -> None:
        self.runtime = runtime
        self.looks = 0
        self.tasks: dict[int, None] = {}  # that were met, in this order
        self.broken = False  # something that had to be looked at could not be read
        self.classes: dict[int, TypeInfo] = {}  # of the gateway's own objects that were met, by address
        self._wanted = wanted
        self._is_wanted: dict[int, bool] = {}
        self._closed: dict[int, bool] = {}
        self._found: dict[tuple[int, int], frozenset[int]] = {}

    @property
    def exhausted(self) -> bool:
        return self.looks >= MAX_LOOKS

    def of_frame(self, frame: RawFrame, hops: int) -> frozenset[int]:
        """What the frame's locals and value stack hold, `hops` attributes away at most."""
        held = [*self.variables(frame), *self.stack(frame)]
        return frozenset().union(*(self.of_object(value, hops) for value in held))

    def variables(self, frame: RawFrame, limit: int = MAX_WORDS) -> list[int]:
        """The objects in a frame's first locals, cells opened."""
        return [self._opened(word) for word in frames.slots(self.runtime, frame)[:limit] if word]

    def stack(self, frame: RawFrame) -> list[int]:
        """The objects on a suspended frame's value stack, bottom first."""
        return frames.stack(self.runtime, frame)[:MAX_WORDS]

    def _opened(self, value: int) -> int:
        try:
            if self.runtime.objects.type_of(value).dotted == "builtins.cell":
                return self.runtime.objects.read_word(value + self.runtime.layout.cell_contents) or value
        except Unreadable:
            pass  # no object: `of_object` will say so
        return value

    def of_object(self, address: int, hops: int) -> frozenset[int]:
        """The wanted objects at `address` and `hops` attributes or items away at most."""
        found = self._found.get((address, hops))
        if found is None:
            self._found[address, hops] = frozenset()  # a cycle comes back to this
            found = self._found[address, hops] = self._look(address, hops)
        return found

    def _look(self, address: int, hops: int) -> frozenset[int]:
        self.looks += 1
        if self.exhausted:
            return frozenset()
        try:
            info = self.runtime.objects.type_of(address)
            own = frozenset((address,)) if self._wants(info) else frozenset[int]()
            if info.is_task:
                self.tasks[address] = None
            if hops <= 0 or self._is_closed(info):
                return own
            inside = self._inside(address, info, whole=hops > 1)
            return own.union(*(self.of_object(inner, hops - 1) for inner in inside))
        except Unreadable:
            return frozenset()

    def _wants(self, info: TypeInfo) -> bool:
        known = self._is_wanted.get(info.address)
        if known is None:
            known = self._is_wanted[info.address] = self._wanted(info)
        return known

    def _is_closed(self, info: TypeInfo) -> bool:
        known = self._closed.get(info.address)
        if known is None:
            foreign = not info.heap or _is_foreign(info.module) or "builtins.type" in info.bases
            known = self._closed[info.address] = foreign and info.dotted not in CONTAINERS
            if not foreign:
                self.classes[info.address] = info
        return known

    def _inside(self, address: int, info: TypeInfo, *, whole: bool) -> Iterable[int]:
        """Attributes or items. Of a container that is not to be looked at whole none, unless its first may be ours."""
        objects = self.runtime.objects
        if info.dotted not in CONTAINERS:
            return attributes.read_values(objects, address)
        pairs = info.dotted == "builtins.dict"
        items = (
            [value for _, value in objects.pairs(address, MAX_ITEMS)] if pairs else objects.items(address, MAX_ITEMS)
        )
        return items if whole or (items and not self._is_closed(objects.type_of(items[0]))) else ()


def _is_foreign(module: str) -> bool:
    top = module.partition(".")[0]
    return top in LIBRARIES or top in sys.stdlib_module_names or top.startswith("_cython_")
