"""The real gateway between its surroundings: server, model, relay, and a network of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import hermes_outside as outside
from hermes_gateway import Gateway, Setting, gateway
from hermes_model import ModelApi, model_api
from hermes_relay import Relay, relay

from qqdiag.lab.control import LOOPBACK, Server, start_server
from qqdiag.lab.network import Link, own_link

HEARTBEAT_INTERVAL = 1000  # ms in the server's Hello; the adapter beats at 0.8 of it
FIRST_BEAT = 0.4  # s
LIFE = 600.0  # s after which a server that was left behind ends: a gateway is put through fault after fault
QUICK = Setting(first_beat=FIRST_BEAT)


@dataclass(frozen=True)
class Patient:
    """A gateway and what surrounds it."""

    gateway: Gateway
    server: Server
    model: ModelApi
    relay: Relay
    link: Link | None = None

    @property
    def pid(self) -> int:
        return self.gateway.pid


@dataclass(frozen=True)
class Case:
    """`accepted`: ids of which at least one must be found, and nothing else above info. Empty: healthy.

    `chain`: qualnames that some task's await chain must show, outermost first.
    """

    id: str
    reach: Callable[[Patient], None]
    accepted: frozenset[str] = frozenset()
    setting: Setting = QUICK
    faults: dict[str, object] = field(default_factory=dict)  # of the server, from the start
    surroundings: Callable[[Setting], AbstractContextManager[Setting]] = nullcontext
    chain: tuple[str, ...] = ()
    through_relay: bool = False
    tls: bool = False
    own_network: bool = False
    root: bool = False
    ready: bool = True  # it gets as far as READY
    release: Callable[[Patient], None] | None = None  # before its end: it could not be ended otherwise


@contextmanager
def hermes(
    case: Case, python: Path, home: Path, before: Callable[[Patient], object] = lambda _: None
) -> Iterator[Patient]:
    """The real gateway in the state of the case; `before`: what happens to it between READY and that."""
    with ExitStack() as stack:
        link, inside = stack.enter_context(own_network()) if case.own_network else (None, ())
        host = link.host if link else LOOPBACK
        qq = stack.enter_context(start_server(tls=case.tls, host=host, bound=LIFE))
        qq.switch(**{"heartbeat_interval": HEARTBEAT_INTERVAL, **case.faults})
        model = stack.enter_context(model_api())
        between = stack.enter_context(relay(qq.port))
        setting = stack.enter_context(case.surroundings(replace(case.setting, wrapper=inside)))
        url = qq.url.replace(str(qq.port), str(between.port)) if case.through_relay else qq.url
        running = stack.enter_context(gateway(python, home, url, qq.pem, model.port, setting))
        patient = Patient(running, qq, model, between, link)
        if case.release is not None:
            stack.callback(case.release, patient)
        if case.ready:
            wait_ready(patient)
        before(patient)
        case.reach(patient)
        yield patient


@contextmanager
def own_network() -> Iterator[tuple[Link, tuple[str, ...]]]:
    """A network namespace with one link to ours, and the command that runs the gateway in it. Needs root."""
    holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "cat"], stdin=subprocess.PIPE)
    try:
        end = time.monotonic() + 20
        while os.readlink(f"/proc/{holder.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert time.monotonic() < end, "no network namespace of its own"
            time.sleep(0.01)
        with own_link(holder.pid) as link:
            yield link, ("nsenter", f"--net=/proc/{holder.pid}/ns/net")
    finally:
        holder.kill()
        holder.communicate()


def wait_ready(patient: Patient) -> None:
    """READY dispatched by the server, and the gateway's own word that it runs and has it."""
    patient.server.until("READY", lambda seen: bool(seen["dispatched"]))
    patient.gateway.wait_log("Gateway running with")
    patient.gateway.wait_log("Ready, session_id=")


def wait_beats(patient: Patient, count: int) -> None:
    """So many heartbeats from now on."""
    had = patient.server.seen()["heartbeats"]
    patient.server.until("heartbeats", lambda seen: seen["heartbeats"] >= had + count)


def silent_for(patient: Patient, seconds: float) -> bool:
    """Whether no connection to the server has received anything for so long."""
    return min(outside.received_ago(patient.pid, patient.server.port), default=0.0) >= seconds
