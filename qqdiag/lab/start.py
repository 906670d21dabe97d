"""Start a case of the lab: a server, a gateway, and the steps that bring the gateway into its state."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qqdiag.errors import QqdiagError, UsageError
from qqdiag.lab.case import QUICK, Case, Lab
from qqdiag.lab.child import SOURCES, Child, child
from qqdiag.lab.control import LOOPBACK, Server, start_server
from qqdiag.lab.failures import FAILURES
from qqdiag.lab.healthy import HEALTHY
from qqdiag.model import Say, Word

BOUND = 120.0  # seconds after which everything ends by itself
GATEWAY = "qqdiag.lab.gateway"


@dataclass(frozen=True)
class Running:
    """A gateway in its state. `state`: what it said of itself (`inside`), and what was seen (`outside`)."""

    id: str
    pid: int
    server: Server
    tls: bool
    python: str  # versions of the gateway
    aiohttp: str
    reached_after: float  # seconds
    state: dict[str, Any]
    gateway: Child

    @property
    def server_port(self) -> int:
        return self.server.port

    def switch(self, **faults: Any) -> None:
        """Throw fault switches of the server (`faults.Faults`)."""
        self.server.switch(**faults)


def cases() -> tuple[Case, ...]:
    """Every case, failing ones first."""
    return FAILURES + HEALTHY


def case_of(id: str) -> Case:
    """The case with that id.

    :raises UsageError: there is none
    """
    for case in cases():
        if case.id == id:
            return case
    raise UsageError(Say("The lab has no {id}.", id=Word(id)), Say("See which there are: qqdiag lab start --help"))


@contextlib.contextmanager
def start(
    id: str,
    *,
    tls: bool = False,
    python: str = sys.executable,
    bound: float = BOUND,
    sources: Path = SOURCES,
    module: str = GATEWAY,
) -> Iterator[Running]:
    """Run the case `id` until the end of the context, of the calling thread, or of `bound` seconds.

    :param python: interpreter of the gateway; it needs aiohttp and nothing else
    :param sources: folder of the gateway's sources
    :param module: the gateway's module there
    :raises QqdiagError: when the state is not reached
    """
    case = case_of(id)
    if ("tls" if tls else "plain") not in case.transports:
        raise UsageError(
            Say("{id} does not happen over this transport.", id=Word(id)),
            Say("Leave out --tls." if tls else "Add --tls."),
        )
    begun = time.monotonic()
    with start_server(tls=tls, host=LOOPBACK, pools=case.pools, buffer=case.buffer, bound=bound) as server:
        server.switch(**case.faults)
        with child(module, python, sources) as gateway:
            versions = gateway.ask(_config(case, server, bound))
            _check(case, versions["aiohttp"])
            lab = Lab(server, gateway)
            try:
                lab.fact("ready")
                outside = case.steps(lab)
            except QqdiagError as error:
                error.add_note(gateway.said())
                raise
            state = {"inside": lab.inside, "outside": outside}
            after = round(time.monotonic() - begun, 2)
            yield Running(id, gateway.pid, server, tls, versions["python"], versions["aiohttp"], after, state, gateway)


def _config(case: Case, server: Server, bound: float) -> dict[str, Any]:
    scheme = f"https://{server.host}"
    return {
        "url": server.url,
        "token_url": server.token_url,
        "pem": str(server.pem) if server.pem else None,
        "pools": [f"{scheme}:{port}" for port in server.ports[1:]],
        "without": case.without,
        "timing": {**QUICK, **case.timing},
        "model": case.model,
        "facts": case.facts,
        "inline": case.inline,
        "abandoning": case.abandoning,
        "bound": bound,
        "parent": os.getpid(),
    }


def _check(case: Case, aiohttp: str) -> None:
    version = tuple(int(part) for part in aiohttp.split(".")[:3] if part.isdigit())
    if version < case.needs_aiohttp:
        raise UsageError(
            Say("{id} does not happen with aiohttp {version}.", id=Word(case.id), version=Word(aiohttp)),
            Say("Start it with an interpreter that has a newer one."),
        )
