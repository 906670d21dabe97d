"""Plants a canary in every text of a snapshot: a value that may come out nowhere."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import msgspec

from qqdiag.model import CodePath, FixedText, Missing, Name, Say, Text, Word

Plant = Callable[[type[Text]], str | None]


def plant(value: Any, make: Plant) -> Any:
    """The same tree with each text replaced by what `make` gives for its class; None keeps it."""
    if isinstance(value, FixedText):
        return value  # text of the source code, which is no value
    if isinstance(value, Text):
        made = make(type(value))
        return value if made is None else type(value)(made)
    if isinstance(value, Say):
        return Say(value.template, **{name: plant(inner, make) for name, inner in value.values.items()})
    if isinstance(value, list):
        return [plant(item, make) for item in value]
    if isinstance(value, Missing):
        return Missing(plant(value.reason, make), plant(value.hint, make))
    if isinstance(value, msgspec.Struct):
        changed = {name: plant(getattr(value, name), make) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **changed)
    return value


class Canaries:
    """Gives one canary after the other, of 16 kinds, from a seed; `planted` are all that were given."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.planted: list[str] = []

    def __call__(self, kind: type[Text]) -> str:
        canary = self.random.choice(SHAPELESS if kind in SHAPED else KINDS)(self.random)
        self.planted.append(canary)
        return f"/home/{canary}/{canary}.py" if kind is CodePath else canary


def letters(source: random.Random, count: int, alphabet: str) -> str:
    return "".join(source.choice(alphabet) for _ in range(count))


HEX = "0123456789abcdef"
BASE62 = string.ascii_letters + string.digits
HAN = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动"

KINDS: list[Callable[[random.Random], str]] = [
    lambda r: letters(r, 32, BASE62),
    lambda r: letters(r, 32, HEX),
    lambda r: letters(r, 32, HEX.upper()),
    lambda r: "-".join(letters(r, size, HEX) for size in (8, 4, 4, 4, 12)),
    lambda r: letters(r, 9, string.digits),
    lambda r: "138" + letters(r, 8, string.digits),
    lambda r: letters(r, 12, HAN),
    lambda r: f"{letters(r, 7, string.ascii_lowercase)}@{letters(r, 6, string.ascii_lowercase)}.example",
    lambda r: f"{letters(r, 9, string.ascii_lowercase)}.lan.example",
    lambda r: ".".join(str(r.randrange(11, 223)) for _ in range(4)),
    lambda r: "sk-" + letters(r, 28, BASE62),
    lambda r: ".".join("ey" + letters(r, size, BASE62) for size in (20, 40, 30)),
    lambda r: " ".join(letters(r, r.randrange(3, 9), string.ascii_lowercase) for _ in range(8)),
    lambda r: f"agent:main:qqbot:dm:{letters(r, 32, HEX.upper())}",
    lambda r: f"pw{letters(r, 6, string.punctuation)}{letters(r, 6, BASE62)}!",
    lambda r: f"\x1b[31m{letters(r, 16, BASE62)}\u202e`{letters(r, 8, BASE62)}`",
]

# No shape tells a host's name, or a key without digits, from an identifier: code is what chooses these three.
SHAPED = (Word, Name, CodePath)
SHAPELESS = [kind for number, kind in enumerate(KINDS) if number not in (0, 8, 10, 11)]
