"""What is read of WebSockets is what the process says of itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from peers import websocket_server
from started import started

from qqdiag.collect.gateway import read_gateway
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
from qqdiag.model import Missing
from qqdiag.profiles import profiles
from qqdiag.run import take
from qqdiag.snapshot import Gateway, WebSocket
from qqdiag.target import resolve

PATIENTS = Path(__file__).with_name("patients.py")


def look(pid: int) -> Gateway:
    gateway = take(resolve(str(pid)), interval=0).samples[-1].gateway
    assert not isinstance(gateway, Missing)
    return gateway


def both(python: str) -> tuple[list[dict[str, Any]], Gateway]:
    """What the process says of its two WebSockets, and what was read."""
    with websocket_server() as port, started(PATIENTS, "telling", port, python=python) as patient:
        return json.loads(patient.said), look(patient.pid)


def assert_told(told: dict[str, Any], found: WebSocket) -> None:
    read = {name: getattr(found, name) for name in told if name not in ("tasks", "unread")}
    assert read == {name: value for name, value in told.items() if name not in ("tasks", "unread")}
    assert (found.closed, found.closing, found.close_code) == (False, False, None)
    assert found.close_timeout_known
    if told["unread"] is not None:  # aiohttp before 3.14 hides it from Python, too
        assert found.unread == told["unread"]


def test_on_our_own_python() -> None:
    assert_read(sys.executable)


def test_on_others(gateway_python: str) -> None:
    assert_read(gateway_python)


def assert_read(python: str) -> None:
    told, gateway = both(python)
    assert (gateway.profile, gateway.adapters, gateway.truncated) == (None, [], False)
    found = {websocket.address: websocket for websocket in gateway.websockets}
    assert set(found) == {one["address"] for one in told}
    read, left = (found[one["address"]] for one in told)
    assert_told(told[0], read)
    assert_told(told[1], left)
    listener, sender = told[0]["tasks"]
    assert read.readers == [listener]
    assert {listener, sender} <= set(read.holders)
    assert read.send_period == 41.5
    assert left.readers == []
    assert left.unread, "one message lies in its queue"


def test_a_program_without_websockets_has_none() -> None:
    with started(PATIENTS, "failed_other", 0) as patient:
        assert look(patient.pid) == Gateway(profile=None)


def test_an_endless_graph_of_objects_is_walked_to_a_bound() -> None:
    with websocket_server() as port, started(PATIENTS, "tangled", port) as patient:
        memory = LiveMemory(patient.pid)
        runtime = attach(memory)
        python = read_python(runtime, 0.0)
        before = len(memory.pages)
        python, gateway = read_gateway(runtime, python, profiles())
        assert len(memory.pages) < before + 2000
    assert [len(websocket.readers) for websocket in gateway.websockets] == [1]
