"""Bot frameworks that no profile knows, on either library and on other CPythons: each way to hang is still named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import debian_unstable
import pytest
from ahead import ahead
from conftest import lab_conftest
from matrix_table import grave, words
from peers import websocket_server

from qqdiag.diagnose import diagnose
from qqdiag.finding import Diagnosis, Severity
from qqdiag.lab import outside
from qqdiag.lab.network import BEFORE, own_link
from qqdiag.model import Missing
from qqdiag.run import take
from qqdiag.snapshot import Snapshot
from qqdiag.target import resolve

PROGRAM = Path(__file__).with_name("frameworks.py")
OURS = ""
Key = tuple[str, str, str]  # library, way, interpreter
# The seconds that a state must have lasted before its age is known to be more than bad luck.
WAYS = {"close-hang": 2.5, "write-stuck": 0.5, "half-open": 0.0, "loop-blocked": 0.5, "hot-loop": 0.5}
WAYS |= {"dead-listener": 0.5, "await-deadlock": 0.0, "missing-ack": 1.6}
PATIENT = 8.2  # half of the patience of the framework on aiohttp
ELSEWHERE = {"aiohttp": "3.14", "websockets": "3.13"}
KEYS = [(library, way, ELSEWHERE[library]) for library in ELSEWHERE for way in WAYS]
KEYS += [(library, "idle", OURS) for library in ELSEWHERE]


def interpreter(version: str) -> str:
    """One that has the library: ours, a virtual environment of the lab's tests, or Debian's in its folder."""
    if version == OURS:
        return sys.executable
    if version == "3.13":
        return str(lab_conftest().python_of(version))
    return str(debian_unstable.launcher(version))


@contextmanager
def framework(key: Key) -> Iterator[int]:
    """The framework in its state; yields its pid."""
    library, way, version = key
    before = BEFORE if way == "half-open" else ()
    with ExitStack() as stack:
        command = [*before, interpreter(version), str(PROGRAM), library, way]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.enter_context(process)
        stack.callback(process.kill)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline(), "it did not begin"  # in its network, if it has one of its own
        link = stack.enter_context(own_link(process.pid)) if before else None
        host = link.host if link else "127.0.0.1"
        port = stack.enter_context(websocket_server(host))
        process.stdin.write(f"{host}:{port}\n")
        process.stdin.flush()
        assert process.stdout.readline(), "it ended before it was ready"
        if link:
            link.cut()
            wait(lambda: any(row["retransmits"] >= 3 for row in outside.sockets(process.pid)))
        yield process.pid


def wait(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def look(key: Key) -> tuple[Snapshot, Diagnosis]:
    with framework(key) as pid:
        time.sleep(PATIENT if key[:2] == ("aiohttp", "missing-ack") else WAYS.get(key[1], 0.0))
        snapshot = take(resolve(str(pid)), interval=1.0)
    return snapshot, diagnose(snapshot)


@pytest.fixture(scope="module")
def looked(request: pytest.FixtureRequest) -> Iterator[Callable[[Key], tuple[Snapshot, Diagnosis]]]:
    here = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    if hasattr(request.config, "workerinput"):
        yield look
        return
    with ahead([item.callspec.params["key"] for item in here], look) as answer:
        yield answer


@pytest.mark.parametrize("key", KEYS, ids=lambda key: "-".join(filter(None, key)))
def test_an_unknown_framework(key: Key, looked: Callable[[Key], tuple[Snapshot, Diagnosis]]) -> None:
    if os.geteuid() != 0:
        pytest.skip("run the tests as root: they use chroot and a network of their own")
    snapshot, diagnosis = looked(key)
    library, way, _ = key
    gateway = snapshot.samples[-1].gateway
    assert not isinstance(gateway, Missing)
    assert gateway.profile is None
    assert {one.library.reveal() for one in gateway.websockets} == {library}
    assert grave(diagnosis) == (set() if way == "idle" else {way}), words(diagnosis)
    assert diagnosis.verdict == ("clear" if way == "idle" else "matched"), words(diagnosis)
    if way == "missing-ack":  # aiohttp ends the connection itself; websockets was told to wait for ever
        severity = {"aiohttp": Severity.DEGRADED, "websockets": Severity.HANG}[library]
        assert [one.severity for one in diagnosis.findings] == [severity], words(diagnosis)
