"""A profile is one file: put into the folder, it is used, and no other file knows of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from matrix_table import grave, words
from peers import websocket_server

from qqdiag import profiles
from qqdiag.diagnose import diagnose
from qqdiag.finding import Diagnosis
from qqdiag.model import Missing
from qqdiag.run import take
from qqdiag.snapshot import Gateway
from qqdiag.target import resolve

HERE = Path(__file__).parent
ADDED = HERE / "added"


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the files of `added` lay in the folder of profiles."""
    monkeypatch.setattr(profiles, "__path__", [*profiles.__path__, str(ADDED)])
    yield
    for path in ADDED.glob("*.py"):
        sys.modules.pop(f"qqdiag.profiles.{path.stem}", None)


@contextmanager
def program(*arguments: str, told: str = "") -> Iterator[int]:
    """Runs one; yields its pid once it is ready."""
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(told)
            process.stdin.flush()
            assert any(line == "ready\n" for line in iter(process.stdout.readline, "")), "it ended before it was ready"
            yield process.pid
        finally:
            process.kill()


def look(pid: int) -> tuple[Gateway, Diagnosis]:
    snapshot = take(resolve(str(pid)), interval=0.5)
    gateway = snapshot.samples[-1].gateway
    assert not isinstance(gateway, Missing)
    return gateway, diagnose(snapshot)


@contextmanager
def puppet() -> Iterator[int]:
    """The framework, whose listener has failed and nobody has noticed."""
    with (
        websocket_server() as port,
        program(str(HERE / "frameworks.py"), "aiohttp", "dead-listener", told=f"127.0.0.1:{port}\n") as pid,
    ):
        yield pid


@contextmanager
def unheard_of(way: str) -> Iterator[int]:
    with websocket_server() as port, program(str(HERE / "unheard_of.py"), str(port), way) as pid:
        yield pid


@pytest.mark.usefixtures("added")
def test_a_gateway() -> None:
    with puppet() as pid:
        gateway, diagnosis = look(pid)
    assert gateway.profile is not None
    assert gateway.profile.reveal() == "puppet"
    (adapter,) = gateway.adapters
    assert (adapter.platform.reveal(), adapter.type.reveal()) == ("theatre", "Puppet")
    assert (adapter.listener is not None, adapter.websocket is not None) == (True, True)
    assert grave(diagnosis) == {"dead-listener"}, words(diagnosis)
    assert "The listener of Puppet is failed" in words(diagnosis)


def test_without_it_the_gateway_is_unknown() -> None:
    with puppet() as pid:
        gateway, _ = look(pid)
    assert (gateway.profile, gateway.adapters) == (None, [])


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(("way", "found"), [("read", set()), ("unread", {"dead-listener"})])
def test_a_library(way: str, found: set[str]) -> None:
    with unheard_of(way) as pid:
        gateway, diagnosis = look(pid)
    (websocket,) = gateway.websockets
    assert (websocket.library.reveal(), websocket.type.reveal(), websocket.closed) == ("pipes", "Pipe", False)
    assert websocket.fd is not None
    assert bool(websocket.readers) == (way == "read")
    assert grave(diagnosis) == found, words(diagnosis)


def test_without_it_there_is_no_websocket() -> None:
    with unheard_of("unread") as pid:
        gateway, diagnosis = look(pid)
    assert gateway.websockets == []
    assert grave(diagnosis) == set(), words(diagnosis)
