"""Which fd a task waits for, and which way the bytes go: as the process itself says of its sockets and transports."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import interpreters
import library_environment
import patients
import pytest
import uvloop_wheels
from interpreters import Interpreter
from patients import Patient

from qqdiag.collect import sockets
from qqdiag.collect.tasks import walk
from qqdiag.cpython.known import Known
from qqdiag.lab.certificate import make_certificate
from qqdiag.memory.live import LiveMemory
from qqdiag.snapshot import Gateway, Leaf, Locals, Python, Sockets

Start = Callable[..., Patient]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """`start(python, program)`: a program with a certificate; with an interpreter behind them, in its uvloop."""
    if shutil.which("openssl") is None:
        pytest.skip("apt-get install openssl")
    pem = make_certificate(tmp_path_factory.mktemp("certificate"), "127.0.0.1")
    with contextlib.ExitStack() as stack:

        @functools.cache
        def begun(python: Path, program: str, on_uvloop: Interpreter | None = None) -> Patient:
            if on_uvloop is None:
                return stack.enter_context(patients.start(python, program, str(pem)))
            try:
                environment = uvloop_wheels.environment(on_uvloop)
            except uvloop_wheels.NotMade as error:
                pytest.skip(str(error))
            return stack.enter_context(patients.start(python, program, str(pem), "uvloop", environment=environment))

        yield begun


@pytest.fixture
def generic(interpreter: Interpreter, start: Start) -> Patient:
    return start(interpreter.path, "endpoints.py")


@pytest.fixture
def libraries(start: Start) -> Patient:
    return of_libraries(start, "libraries.py", False)


def of_libraries(start: Start, program: str, uvloop: bool) -> Patient:
    """A program in the environment that has the libraries."""
    found = interpreters.find(library_environment.PYTHON)
    try:
        return start(library_environment.python(), program, found if uvloop else None)
    except library_environment.NotMade as error:
        pytest.skip(str(error))


Ends = dict[str, tuple[int | None, bool | None]]


def said(patient: Patient) -> Ends:
    """What the process says: by the task's name its fd, and whether it waits to write."""
    return {name: (patient.truth["fds"][name], patient.truth["writable"][name]) for name in patient.truth["tasks"]}


def leaves(patient: Patient) -> dict[str, Leaf]:
    tasks = {task.address: task for task in patients.read(patient.pid).tasks}
    found = {name: tasks[address].leaf for name, address in patient.truth["tasks"].items()}
    return {name: leaf for name, leaf in found.items() if leaf is not None}


def seen(patient: Patient) -> Ends:
    return {name: (leaf.fd, leaf.writable) for name, leaf in leaves(patient).items()}


def test_asyncio(generic: Patient) -> None:
    assert seen(generic) == said(generic)
    assert len(said(generic)) > 25


def test_libraries(libraries: Patient) -> None:
    assert seen(libraries) == said(libraries)
    assert len(said(libraries)) > 35


@pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_asyncpg(start: Start, uvloop: bool) -> None:
    """A PostgreSQL that does not answer: its client is of Cython, and so are the fields that lead to the socket."""
    patient = of_libraries(start, "postgres.py", uvloop)
    assert seen(patient) == said(patient)
    assert len(said(patient)) == 12


def test_uvloop(interpreter: Interpreter, start: Start) -> None:
    """Transports of libuv's, whose handles lead to their fds, and futures that keep their sockets."""
    patient = start(interpreter.path, "endpoints.py", interpreter)
    assert seen(patient) == said(patient)
    assert len(said(patient)) > 20


def test_libraries_on_uvloop(start: Start) -> None:
    patient = of_libraries(start, "libraries.py", True)
    assert seen(patient) == said(patient)
    assert len(said(patient)) > 35
    _, gateway = whole(patient)
    fds = {fd for name, fd in patient.truth["fds"].items() if name.startswith(("websockets", "discord"))}
    assert fds <= {row.fd for row in gateway.websockets}


def test_libraries_of_hermes(start: Start, hermes_python: Path) -> None:
    """aiohttp and httpx as the gateway pins them: another Cython, whose code has another file name."""
    gateway = start(hermes_python, "libraries.py")
    assert seen(gateway) == said(gateway)
    assert len(said(gateway)) > 20


@pytest.mark.parametrize("program", ["endpoints.py", "libraries.py"])
def test_peers(program: str, start: Start, libraries: Patient) -> None:
    """The kernel's row of the fd has the peer that the process says."""
    here = interpreters.find("3.12")
    assert here is not None
    patient = libraries if program == "libraries.py" else start(here.path, program)
    found = sockets.collect(patient.pid)
    assert isinstance(found, Sockets)
    rows = {row.fd: row for row in found.rows}
    said = {name: peer for name, peer in patient.truth["peers"].items() if peer}
    for name, leaf in leaves(patient).items():
        if name in said:
            assert leaf.fd is not None
            remote = rows[leaf.fd].remote
            assert remote is not None
            assert [remote.reveal(), rows[leaf.fd].remote_port] == said[name]
    assert len(said) > 15


def test_the_report_names_the_peer(libraries: Patient) -> None:
    command = [sys.executable, "-m", "qqdiag", "inspect", str(libraries.pid), "--interval", "0"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    for name, way in (
        ("websockets recv plain", "to have bytes to read"),
        ("discord plain", "to have bytes to read"),
        ("aiohttp upload plain", "to take more bytes"),
        ("httpx headers plain", "to have bytes to read"),
    ):
        fd, (host, port) = libraries.truth["fds"][name], libraries.truth["peers"][name]
        assert f"waits for fd {fd} ({host}:{port}) {way}" in shown, name
    fd, (host, port) = (
        libraries.truth["fds"]["websockets ping plain"],
        libraries.truth["peers"]["websockets ping plain"],
    )
    assert f"waits for the answer to the PING that was sent on the WebSocket of fd {fd} ({host}:{port})" in shown
    assert "aiohttp WebSocketResponse: open, the server's end" in shown


def whole(patient: Patient) -> tuple[Python, Gateway]:
    with LiveMemory(patient.pid) as memory:
        python, gateway = walk((), Known(variables=True))(memory)
    assert isinstance(python, Python)
    assert isinstance(gateway, Gateway)
    return python, gateway


def test_what_a_task_holds_leads_to_its_fd(libraries: Patient) -> None:
    """Every WebSocket, transport, stream and socket among its locals, and in the attributes of `self`."""
    python, _ = whole(libraries)
    assert isinstance(python.locals, Locals)
    names = {address: name for name, address in libraries.truth["tasks"].items()}
    held: dict[str, set[int | None]] = {}
    for frame in python.locals.frames:
        for one in frame.variables if frame.task in names else ():
            fds = {found.fd for found in (one, *one.attributes) if found.fd is not None}
            held.setdefault(names[frame.task], set()).update(fds)
    wanted = {name: {fd} for name, fd in libraries.truth["fds"].items() if fd is not None}
    assert {name: held[name] for name in wanted} == wanted


def test_websockets_of_a_gateway(libraries: Patient) -> None:
    """Each client's WebSocket with its fd, the task that holds it and whether that one reads."""
    _, gateway = whole(libraries)
    names = {address: name for name, address in libraries.truth["tasks"].items()}
    seen = {}
    for row in gateway.websockets:
        for holder in row.holders:
            if holder in names and "transfer" not in names[holder]:
                seen[names[holder]] = row.fd, row.library.reveal(), row.server, holder in row.readers, row.closed
    ends = {
        f"{end} {kind}": (library, "server" in end, reads)
        for kind in ("plain", "tls")
        for end, library, reads in (
            ("aiohttp WebSocket", "aiohttp", True),
            ("aiohttp upload", "aiohttp", False),
            ("aiohttp server WebSocket", "aiohttp", True),
            ("discord", "aiohttp", True),
            ("websockets recv", "websockets", True),
            ("websockets iterated", "websockets", True),
            ("websockets send", "websockets", False),
            ("websockets keepalive", "websockets", False),
            ("websockets ping", "websockets", False),
            ("websockets ping in time", "websockets", False),
            ("websockets legacy", "websockets", True),
            ("websockets legacy ping", "websockets", False),
            ("websockets server", "websockets", True),
            ("websockets legacy server", "websockets", True),
        )
    }
    fds = libraries.truth["fds"]
    assert seen == {name: (fds[name], library, server, reads, False) for name, (library, server, reads) in ends.items()}
    assert {row.closing for row in gateway.websockets} == {False}


def test_a_pong_names_its_websocket(libraries: Patient) -> None:
    """Who waits for the answer to a PING waits for a future that nothing but the connection's own table knows."""
    _, gateway = whole(libraries)
    by_address = {row.address: row for row in gateway.websockets}
    for name, leaf in leaves(libraries).items():
        assert (leaf.pong is not None) == ("ping" in name)
        if leaf.pong is not None:
            assert by_address[leaf.pong].fd == libraries.truth["fds"][name]
            assert by_address[leaf.pong].ping_outstanding
