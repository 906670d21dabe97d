"""Start a case of the lab: a server, a gateway, and the steps that bring the gateway into its state."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from qqdiag.errors import QqdiagError, UsageError, meant
from qqdiag.fixes.timing import Timing
from qqdiag.lab.any_program import ANY_PROGRAM
from qqdiag.lab.case import QUICK, Case, Lab
from qqdiag.lab.child import SOURCES, Child, child
from qqdiag.lab.control import LOOPBACK, Server, start_server
from qqdiag.lab.failures import FAILURES
from qqdiag.lab.healthy import HEALTHY
from qqdiag.lab.network import BEFORE, own_link
from qqdiag.lab.profiled import PROFILED
from qqdiag.lab.stalled_files import stalled_files
from qqdiag.model import Say, Word

BOUND = 120.0  # seconds after which everything ends by itself
GATEWAY, HOSTED = "qqdiag.lab.gateway", "qqdiag.lab.hosted"
LOG = "lab-gateway.log"  # in a folder of its own, as the profile `lab` has it


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
    others = ANY_PROGRAM + PROFILED
    failing = tuple(case for case in others if not case.healthy)
    return FAILURES + failing + HEALTHY + tuple(case for case in others if case.healthy)


def case_of(id: str) -> Case:
    """The case with that id.

    :raises UsageError: there is none
    """
    for case in cases():
        if case.id == id:
            return case
    known = [case.id for case in cases()]
    raise UsageError(Say("the lab has no {id}", id=Word(id)), meant(id, known, Say("list them: qqdiag lab list")))


@contextlib.contextmanager
def start(
    id: str,
    *,
    tls: bool = False,
    python: str = sys.executable,
    bound: float = BOUND,
    sources: Path = SOURCES,
    module: str | None = None,
    log: Path | None = None,
) -> Iterator[Running]:
    """Run the case `id` until the end of the context, of the calling thread, or of `bound` seconds.

    :param python: interpreter of the gateway; it needs aiohttp and nothing else
    :param sources: folder of the gateway's sources
    :param module: the gateway's module there; None: the one that the case is of
    :param log: folder of the log of a hosted case, which a later start goes on with; None: one for this start alone
    :raises QqdiagError: when the state is not reached
    """
    case = case_of(id)
    if ("tls" if tls else "plain") not in case.transports:
        raise UsageError(
            Say("{id} does not happen over this transport.", id=Word(id)),
            Say("Leave out --tls." if tls else "Add --tls."),
        )
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(stalled_files(bound)) if case.stalled else None
        before = files.before if files else BEFORE if case.own_network else ()
        module = module or (HOSTED if case.hosted else GATEWAY)
        gateway = stack.enter_context(child(module, bound, python, sources, before))
        if files:
            stack.callback(files.process.process.kill)  # first of all: who waits for it cannot be ended before
        versions = gateway.hear()
        _check(case, versions)
        link = stack.enter_context(own_link(gateway.pid)) if case.own_network else None
        server = stack.enter_context(
            start_server(tls=tls, host=link.host if link else LOOPBACK, pools=case.pools, bound=bound)
        )
        server.switch(**case.faults)
        lock = stack.enter_context(held_lock()) if case.locked else None
        folder = (log or Path(stack.enter_context(_folder()))) if case.hosted else None
        written = str(folder / LOG) if folder else None
        gateway.tell({**_config(case, server), "lock": lock.name if lock else None, "log": written})
        lab = Lab(server, gateway, link, lock)
        state = {"outside": _play(case, lab), "inside": lab.inside}
        after = round(time.monotonic() - begun, 2)
        yield Running(id, gateway.pid, server, tls, versions["python"], versions["aiohttp"], after, state, gateway)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="qqdiag-lab-")


@contextlib.contextmanager
def held_lock() -> Iterator[IO[bytes]]:
    """A file that this process has locked (flock(2))."""
    with tempfile.NamedTemporaryFile(prefix="qqdiag-lab-") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _play(case: Case, lab: Lab) -> dict[str, Any]:
    try:
        if not case.locked:
            lab.fact("ready")
        return case.steps(lab)
    except QqdiagError as error:
        error.add_note(lab.gateway.said())
        raise


def _config(case: Case, server: Server) -> dict[str, Any]:
    scheme = f"https://{server.host}"
    return {
        "url": server.url,
        "token_url": server.token_url,
        "pem": str(server.pem) if server.pem else None,
        "pools": [f"{scheme}:{port}" for port in server.ports[1:]],
        # Its thread would end the gateway that is to be looked at, and wake one that is to be seen asleep.
        "without": [*case.without, "loop-watchdog"],
        "timing": _timing(case),
        "model": case.model,
        "facts": case.facts,
        "inline": case.inline,
        "abandoning": case.abandoning,
        "other": case.other,
    }


def _timing(case: Case) -> list[Any]:
    """The values of `Timing` in the order of its fields: the gateway may know them by other names."""
    values = {**asdict(Timing()), **QUICK, **case.timing}
    return [values[field.name] for field in fields(Timing)]


def _check(case: Case, versions: dict[str, Any]) -> None:
    version = tuple(int(part) for part in versions["aiohttp"].split(".")[:3] if part.isdigit())
    if version < case.needs_aiohttp:
        raise UsageError(
            Say("{id} does not happen with aiohttp {version}.", id=Word(case.id), version=Word(versions["aiohttp"])),
            Say("Start it with an interpreter that has a newer one."),
        )
    if case.pools and not versions["httpx"]:
        raise UsageError(
            Say("{id} needs httpx in the gateway's interpreter.", id=Word(case.id)),
            Say("Install it there: pip install httpx"),
        )
