"""A program whose suspended frames have locals of every sort, hostile ones too, and which says what they are.

It prints one JSON line and stands still, with the reporter on the stack, until a line comes on stdin. For CPython 3.9
and later.
"""

from __future__ import annotations

import asyncio
import collections
import enum
import json
import math
import os
import socket
import sys
import types

SECRET = "tok-1f9c3a7b5d2e"  # in a local: it may come out nowhere
LEFT_OUT = ("said",)  # what a frame says of itself
TRUTH: list[dict[str, object]] = []
HOLD: list[object] = []


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    pass


class Number(int):
    pass


class Slotted:
    __slots__ = ("count", "unset")


class Bot:
    """Methods whose `self` has attributes: plain, of slots of a base, deleted."""

    kind = "of the class, no attribute of the object"

    def __init__(self) -> None:
        self.running = True
        self.retries = 3
        self.token = SECRET
        self.gone = 1
        del self.gone
        self.sessions = {"one": 1}
        self.colour = Colour.RED
        self.me = self  # a cycle

    async def waits(self, timeout: float) -> None:
        said = says(self)
        await self.deeper(said)

    async def deeper(self, said: dict[str, object]) -> None:
        count = 7
        of_frame(sys._getframe(), said)
        await forever()
        HOLD.append(count)


class Small(Slotted):
    def __init__(self) -> None:
        self.count = 1
        self.own = None

    async def waits(self) -> None:
        said = says(self)
        of_frame(sys._getframe(), said)
        await forever()


class Crowded:
    def __init__(self) -> None:
        for number in range(100):
            setattr(self, f"name_{number}", number)

    async def waits(self) -> None:
        said = says(self)
        of_frame(sys._getframe(), said)
        await forever()


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


# --- what a frame says of itself -------------------------------------------------------------------------------------


def says(owner: object = None) -> dict[str, object]:
    said: dict[str, object] = {"attributes": {}}
    if owner is not None:
        names = list(getattr(owner, "__dict__", {}))
        slots = [name for cls in type(owner).__mro__ for name in getattr(cls, "__slots__", ())]
        names += [name for name in slots if hasattr(owner, name)]
        said["attributes"] = {name: of_value(getattr(owner, name)) for name in names}
    TRUTH.append(said)
    return said


def of_frame(frame: types.FrameType, said: dict[str, object]) -> None:
    """The locals that are set, as `locals()` has them, and where the frame stands."""
    said["task"], said["function"] = id(asyncio.current_task()), frame.f_code.co_name
    said["locals"] = {name: of_value(value) for name, value in frame.f_locals.items() if name not in LEFT_OUT}


def of_value(value: object) -> dict[str, object]:
    """What the reader is to say of it."""
    found: dict[str, object] = {"type": type(value).__qualname__, "address": id(value)}
    if value is None:
        return {**found, "kind": "none"}
    if isinstance(value, enum.Enum):
        return {**found, "kind": "enum", "called": value.name}
    if isinstance(value, bool):
        return {**found, "kind": "bool", "truth": value}
    if isinstance(value, (int, float)):
        return {**found, **of_number(value)}
    if isinstance(value, (str, bytes)):
        kind = "text" if isinstance(value, str) else "bytes"
        begin = value if kind == "text" else value.decode("latin-1")
        begin = begin[:200].encode("utf-8", "backslashreplace").decode()
        return {**found, "kind": kind, "text": begin, "length": len(value) if len(value) > 128 else None}
    if isinstance(value, bytearray):
        return {**found, "kind": "bytes", "length": len(value)}
    if isinstance(value, (list, tuple, dict, set, frozenset, collections.deque)):
        return {**found, "kind": "container", "length": len(value)}
    if isinstance(value, type):
        return {**found, "kind": "class", "called": value.__qualname__}
    if isinstance(value, (types.FunctionType, types.MethodType)):
        return {**found, "kind": "callable", "called": value.__qualname__}
    return {**found, "kind": "object", "fd": value.fileno() if isinstance(value, socket.socket) else None}


def of_number(value: float) -> dict[str, object]:
    kind = "float" if isinstance(value, float) else "int"
    if kind == "int" and value.bit_length() > 960:
        return {"kind": kind}
    if kind == "float" and not math.isfinite(value):
        return {"kind": kind, "number": repr(value)}
    if abs(value) >= 1_000_000:
        return {"kind": kind, "digits": repr(value)}
    return {"kind": kind, "number": float(f"{value:.3g}") if kind == "float" else int(value)}


# --- frames ----------------------------------------------------------------------------------------------------------


async def plain(first, *more, keyword=None, **others) -> None:
    said = says()
    nothing, yes, no = None, True, False
    zero, small, negative, large = 0, 41, -3, 10**9 + 7
    huge = 1 << 100_000
    third, tiny, billion, endless, nan = 1 / 3, 0.00123456, 1.5e9, math.inf, math.nan
    of_frame(sys._getframe(), said)
    await forever()
    HOLD.append(locals())


async def holds() -> None:
    said = says()
    empty, text, wide, long = "", SECRET, "\u4f60\u597d\U0001f600", "x" * 100_000
    data, buffer = b"abc", bytearray(5)
    members, pairs, row = [1, 2, 3], {"a": 1}, (1, 2)
    unique, fixed, queue = {1, 2, 3, 4}, frozenset({5}), collections.deque([1] * 9)
    red, high = Colour.RED, Level.HIGH
    own_text, own_number = Text("of its own"), Number(12)
    function, cls, method = forever, Bot, Bot().waits
    gone = 1
    del gone
    of_frame(sys._getframe(), said)
    await forever()
    HOLD.append(locals())


async def hostile() -> None:
    said = says()
    ring: list[object] = []
    ring.append(ring)
    knot: dict[str, object] = {}
    knot["self"] = knot
    million = dict.fromkeys(range(10**6))
    controls = "\x1b[31m\u202e\x00\ud800"
    cell_that_is_a_value = types.CellType(5)
    end = socket.socket()
    shut = socket.socket()
    shut.close()
    of_frame(sys._getframe(), said)
    del said["locals"]["shut"]
    await forever()
    HOLD.append(locals())


async def many() -> None:
    said = says()
    names = {f"v{number}": number for number in range(100)}
    code = "\n".join(["async def made(said):", *(f"    {name} = {value}" for name, value in names.items())])
    space: dict[str, object] = {"of_frame": of_frame, "sys": sys, "forever": forever}
    exec(f"{code}\n    of_frame(sys._getframe(), said)\n    await forever()", space)
    await space["made"](said)


def closures() -> list[object]:
    shared = 11

    async def reads() -> None:
        said = says()
        mine = shared

        def uses() -> object:
            return mine, late

        of_frame(sys._getframe(), said)
        await forever()
        late = 1
        HOLD.append((uses, unbound))

    made = [reads()]
    if made:
        return made
    unbound = 1
    return [unbound]


async def generates(said):
    step = 2
    of_frame(sys._getframe(), said)
    await forever()
    yield step


async def iterates() -> None:
    async for _ in generates(says()):
        pass


async def main() -> None:
    loop = asyncio.get_running_loop()
    bot = Bot()
    started = [
        plain(1, 2, 3, keyword="k", extra=1),
        holds(),
        hostile(),
        many(),
        bot.waits(0.5),
        Small().waits(),
        Crowded().waits(),
        iterates(),
        *closures(),
    ]
    HOLD.extend(loop.create_task(coroutine) for coroutine in started)
    for _ in range(5):
        await asyncio.sleep(0)
    print(json.dumps({"pid": os.getpid(), "frames": TRUTH}), flush=True)
    sys.stdin.readline()


asyncio.run(main())
