"""An aiomonitor in a real gateway: found, read, attached to."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest
from collect_patients import WAIT, Patient, patient

from qqdiag import attach
from qqdiag.collect import monitor, sockets
from qqdiag.errors import NotReadable
from qqdiag.model import Missing
from qqdiag.snapshot import Monitor

LOOPBACK_UP = """
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as configuring:
    SIOCSIFFLAGS, IFF_UP_RUNNING = 0x8914, 0x41
    fcntl.ioctl(configuring, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_RUNNING))
"""
MONITORED = """
import aiomonitor, asyncio

async def handle_message():
    await asyncio.get_running_loop().create_future()

async def main():
    loop = asyncio.get_running_loop()
    ports = json.loads(sys.argv[1])
    with aiomonitor.start_monitor(loop, hook_task_factory=sys.argv[2] == "hooked", **ports):
        task = asyncio.create_task(handle_message(), name="handler-42")
        await asyncio.sleep(0)
        say({str(id(task)): [task.get_name(), task.get_coro().__qualname__] for task in asyncio.all_tasks()})
        if sys.argv[3] == "blocked":
            sys.stdin.read()
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""
ISOLATED = ("unshare", "--net")


def free_ports() -> str:
    """Two neighbours that nobody has."""
    import socket

    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + 1)):
                return f'{{"port": {port}, "webui_port": {port + 1}}}'


@pytest.fixture
def usual(request: pytest.FixtureRequest) -> Iterator[Patient]:
    """A monitored gateway on the usual ports, in a network namespace of its own: they are often taken."""
    needs_root()
    hooked, blocked = getattr(request, "param", ("hooked", "idle"))
    with patient(LOOPBACK_UP + MONITORED, "{}", hooked, blocked, before=ISOLATED) as there:
        yield there


def found(there: Patient, everywhere: bool = False) -> Monitor | Missing | None:
    return monitor.collect(there.pid, sockets.collect(there.pid), everywhere)


@pytest.mark.root
@pytest.mark.parametrize(
    "usual", [("hooked", "idle"), ("unhooked", "idle"), ("hooked", "blocked")], ids=str, indirect=True
)
def test_its_tasks_are_what_the_gateway_says(usual: Patient, request: pytest.FixtureRequest) -> None:
    seen = found(usual)
    assert isinstance(seen, Monitor)
    assert (seen.terminal_port, seen.web_port, seen.console_port) == (20101, 20102, None)
    assert seen.version.reveal()[0].isdigit()
    by_id = {task.task: task for task in seen.tasks}
    for address, (name, _) in usual.first.items():
        assert by_id[int(address)].name.reveal() == name
        assert by_id[int(address)].state.reveal() == "pending"
    handler = next(task for task in seen.tasks if task.name.reveal() == "handler-42")
    assert handler.coroutine.reveal() == "handle_message"
    if "unhooked" in request.node.name:
        assert (handler.since, handler.created_at) == (None, None)
    else:
        assert handler.since is not None
        assert 0 <= handler.since < 60
        assert handler.created_at is not None


def test_unusual_ports_are_asked_for_attach_alone() -> None:
    with patient(MONITORED, free_ports(), "hooked", "idle") as there:
        assert found(there) is None
        seen = found(there, everywhere=True)
        assert isinstance(seen, Monitor)
        assert seen.terminal_port == seen.web_port - 1
        assert attach.find(there.pid).tasks


def test_a_gateway_without_one() -> None:
    with patient("server = socket.create_server(('127.0.0.1', 0))\nsay(1)\nserve()") as there:
        assert found(there) is None
        with pytest.raises(NotReadable) as raised:
            attach.find(there.pid)
        assert raised.value.hint.template.startswith("see its tasks without one: qqdiag inspect")


ANSWERS = {
    "nothing": "",
    "not http": "SSH-2.0-OpenSSH_9.2\\r\\n",
    "not json": "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{]",
    "another api": 'HTTP/1.1 200 OK\\r\\nContent-Length: 16\\r\\n\\r\\n{"version": 1.0}',
    "another version": 'HTTP/1.1 200 OK\\r\\nContent-Length: 17\\r\\n\\r\\n{"value": "<b> "}',
    "an error": "HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "cut": "HTTP/1.1 200 OK\\r\\nContent-Length: 999\\r\\n\\r\\n{",
    "endless header": "HTTP/1.1 200 OK\\r\\n" + "X: y\\r\\n" * 300,
}


@pytest.mark.root
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_something_else_on_its_port(answer: str) -> None:
    needs_root()
    program = f"""
server = socket.create_server(("127.0.0.1", 20102))
say(1)
while True:
    peer, _ = server.accept()
    peer.recv(1000)
    peer.sendall(b'''{answer}''')
    peer.close()
"""
    with patient(LOOPBACK_UP + program, before=ISOLATED) as there:
        assert found(there) is None


@pytest.mark.root
def test_a_port_that_is_silent_is_missing() -> None:
    needs_root()
    program = "server = socket.create_server(('127.0.0.1', 20102))\nsay(1)\nserve()"
    with patient(LOOPBACK_UP + program, before=ISOLATED) as there:
        seen = found(there)
        assert isinstance(seen, Missing)
        assert seen.reason.values["port"] == 20102
        with pytest.raises(NotReadable):
            attach.find(there.pid)


CONSOLE = """
import sys
from qqdiag import attach
pid = int(sys.argv[1])
attach.open_console(pid, attach.find(pid))
print("session over")
"""


@pytest.mark.root
def test_the_console_opens_in_the_targets_network(usual: Patient) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-c", CONSOLE, str(usual.pid)]
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as console:
        os.close(theirs)
        try:
            expect(ours, b"monitor >>>")
            os.write(ours, b"ps\r")
            expect(ours, b"handler-42")
            os.write(ours, b"exit\r")
            expect(ours, b"session over")
        finally:
            console.kill()
            os.close(ours)


def expect(terminal: int, words: bytes) -> None:
    """Read until `words` come, and answer as a terminal does when it is asked where its cursor is."""
    seen = b""
    while words not in seen:
        ready, _, _ = select.select([terminal], [], [], WAIT)
        assert ready, f"{words!r} did not come after {seen[-2000:]!r}"
        part = os.read(terminal, 65536)
        if b"\x1b[6n" in part:
            os.write(terminal, b"\x1b[1;1R")
        seen += part


def test_a_console_needs_a_terminal_port() -> None:
    seen = Monitor(version=monitor.Word("0.7.1"), terminal_port=None, web_port=1, console_port=None)
    with pytest.raises(NotReadable) as raised:
        attach.open_console(os.getpid(), seen)
    assert "terminal" in raised.value.message.template


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("00:40.158", 40.158), ("1h02:03.000", 3723), ("1y2m3d4h05:06.700", 365 * 86400 + 63 * 86400 + 14706.7),
     ("-", None), ("", None), ("40s", None), ("9" * 400 + "y00:00.000", None)],
)  # fmt: skip
def test_ages(written: str, seconds: float | None) -> None:
    assert monitor.since(written) == (None if seconds is None else pytest.approx(seconds))


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("network namespaces take root: sudo pytest")
