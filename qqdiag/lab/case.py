"""What a case of the lab is: a gateway as plain data, and the steps that bring it into its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from qqdiag.lab.child import Child
from qqdiag.lab.control import Server
from qqdiag.lab.network import Link

QUICK: dict[str, Any] = {
    "ws_close": 1.0,
    "close_total": 2.0,
    "ready": 5.0,
    "rest_total": 5.0,
    "rate_limited": 1.0,
    "delays": [0.1, 0.2, 0.5],
    "attempts": 3,
    "quick": 0.0,  # cases cut their connections at once
}


@dataclass(eq=False)
class Lab:
    """A server and a gateway that has connected, while its case is played."""

    server: Server
    gateway: Child
    link: Link | None = None  # with `own_network`
    lock: IO[bytes] | None = None  # with `locked`: its holder's file, which to close is to let go
    inside: dict[str, Any] = field(default_factory=dict)  # what the gateway said of itself, by fact

    def fact(self, name: str, seconds: float = 30.0) -> None:
        """Wait until the gateway says that `name` holds."""
        while name not in self.inside:
            said = self.gateway.hear(seconds)
            self.inside[said.pop("fact")] = said


Steps = Callable[[Lab], dict[str, Any]]  # plays the case, and answers what was seen from outside


@dataclass(frozen=True)
class Case:
    """One state of a gateway. `facts` are (name, seconds that it holds), in the order of their coming."""

    id: str
    title: str
    steps: Steps
    healthy: bool = False
    without: tuple[str, ...] = ()
    model: str = "echo"
    facts: tuple[tuple[str, float], ...] = ()
    timing: dict[str, Any] = field(default_factory=dict)  # beside QUICK
    faults: dict[str, Any] = field(default_factory=dict)  # thrown before the gateway starts
    inline: bool = False
    abandoning: bool = False
    pools: bool = False
    own_network: bool = False
    stalled: bool = False  # there is a file system that does not answer (stalled_files.py)
    locked: bool = False  # before its loop it takes a lock, which somebody else has
    hosted: bool = False  # by `lab/hosted.py`, with a log: what a profile alone can see
    other: str = ""  # another platform of it (`hosted.OTHERS`)
    any_program: bool = False  # nothing of it has to do with a gateway's connection
    transports: tuple[str, ...] = ("plain", "tls")
    needs_aiohttp: tuple[int, int, int] = (3, 11, 0)
