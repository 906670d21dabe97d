"""Timers, transports and the selector of another process's event loop."""

from __future__ import annotations

import sys
from collections.abc import Callable

import patients
from patients import Patient

from qqdiag.snapshot import Loop, Python


def main_loop(python: Python, patient: Patient) -> Loop:
    return next(loop for loop in python.loops if loop.address == patient.truth["loop"])


def task(python: Python, name: str) -> int:
    return next(task.address for task in python.tasks if task.name.reveal() == name)


def test_timers(zoo: Patient) -> None:
    """All that are set, an int `when` among them; none that was cancelled."""
    found = main_loop(patients.read(zoo.pid), zoo).timers
    assert [[timer.when_at, timer.callback.reveal()] for timer in found] == zoo.truth["timers"]
    assert any(float(timer.when_at).is_integer() for timer in found)


def test_what_timers_wake(zoo: Patient) -> None:
    python = patients.read(zoo.pid)
    loop = main_loop(python, zoo)
    waiter = next(task.waiter for task in python.tasks if task.name.reveal() == "nested")
    assert [waiter] in [timer.wakes for timer in loop.timers]
    if zoo.truth["version"] >= [3, 11]:
        timeout = next(timer for timer in loop.timers if task(python, "timeout") in timer.wakes)
        assert timeout.callback.reveal() == "Timeout._on_timeout"
    handshake = next(timer for timer in loop.timers if "handshake" in timer.callback.reveal())
    assert handshake.wakes == [t.waiter for t in python.tasks if t.name.reveal() == "handshake"]
    assert not next(timer for timer in loop.timers if timer.callback.reveal() == "print").wakes


def test_transports(zoo: Patient) -> None:
    found = main_loop(patients.read(zoo.pid), zoo).transports
    assert {str(t.fd): t.address for t in found} == {fd: told[0] for fd, told in zoo.truth["transports"].items()}
    for transport in found:
        _, kind, protocol, buffered = zoo.truth["transports"][str(transport.fd)]
        assert transport.type.reveal() == kind
        assert transport.tls == (protocol == "SSLProtocol")
        assert transport.protocol.reveal() == "StreamReaderProtocol"
        assert transport.buffered == buffered
        assert transport.writing_paused == (buffered > 0)
        assert transport.reading_paused is False
        assert transport.closing is False
        assert transport.websocket_reader is None


def test_websocket_readers_of_aiohttp(zoos: Callable[..., Patient]) -> None:
    zoo = zoos(sys.executable, "aiohttp")
    found = main_loop(patients.read(zoo.pid), zoo).transports
    readers = [transport.protocol.reveal() for transport in found if transport.websocket_reader]
    assert sorted(readers) == ["RequestHandler", "ResponseHandler"]
    assert sum(transport.websocket_reader is False for transport in found) >= 2


def test_selector_and_thread(zoo: Patient) -> None:
    loop = main_loop(patients.read(zoo.pid), zoo)
    assert loop.epoll_fd == zoo.truth["epoll"]
    assert loop.thread == zoo.pid
    assert loop.running
    assert not loop.opaque
    assert loop.ready  # the reporter holds the loop while others are ready
