"""A program whose tasks wait for real sockets through asyncio alone, plain and TLS. For CPython 3.9 and later.

It is given a PEM file, prints what it is as one JSON line, and stands still until a line comes on stdin. `libraries.py`
does the same with libraries.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import sys
import traceback
from collections.abc import Awaitable, Callable

MUCH = bytes(1 << 24)  # more than any socket takes
HOLD: list[object] = []
TASKS: dict[str, asyncio.Task] = {}
PLACES: dict[str, object] = {}
UVLOOP = "uvloop" in sys.argv
TRUTH: dict[str, dict[str, object]] = {"fds": {}, "writable": {}, "peers": {}}


# --- what is said of each task ---------------------------------------------------------------------------------------


def begin(name: str, coroutine: Awaitable[object], place: str | Callable[[], bool]) -> asyncio.Task:
    """Start a task that will wait at `place`: its innermost coroutine's qualname, or what tells that it is there."""
    return begun(name, asyncio.get_running_loop().create_task(coroutine), place)


def begun(name: str, task: asyncio.Task, place: str | Callable[[], bool]) -> asyncio.Task:
    TASKS[name], PLACES[name] = task, place
    return task


def waits_for(name: str, end: object, writable: bool | None) -> None:
    """The task waits for `end`: a transport or a stream, a socket, or None for no socket at all."""
    if hasattr(end, "get_extra_info"):
        end = end.get_extra_info("socket")
    TRUTH["fds"][name] = None if end is None else end.fileno()
    TRUTH["writable"][name] = writable
    try:
        peer = end.getpeername() if end is not None else None
        TRUTH["peers"][name] = peer[:2] if isinstance(peer, tuple) else None
    except OSError:
        TRUTH["peers"][name] = None  # it listens, or is not yet connected


def innermost(task: asyncio.Task) -> str:
    """The qualname of the last coroutine that it awaits; nothing while that does not wait for a future."""
    found, step = "", task.get_coro()
    while hasattr(step, "__qualname__"):
        found = step.__qualname__
        step = getattr(step, "cr_await", None) or getattr(step, "gi_yieldfrom", None) or getattr(step, "ag_await", None)
    return found if step is not None else ""


async def settle() -> None:
    """Until all tasks at once wait where they are meant to: then nothing moves until the loop goes on."""
    while not all(stands(name) for name in TASKS):
        await asyncio.sleep(0.002)


def stands(name: str) -> bool:
    task, place = TASKS[name], PLACES[name]
    if task.done():
        print(f"{name} has ended: {task}", file=sys.stderr)
        os._exit(1)
    return place() if callable(place) else innermost(task) == place


def say() -> None:
    tasks = {name: id(task) for name, task in TASKS.items()}
    print(json.dumps({"pid": os.getpid(), "tasks": tasks, **TRUTH}), flush=True)
    sys.stdin.readline()
    os._exit(0)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Without an orderly end, which would wait for all that waits here. In a uvloop where the arguments say so."""

    async def watched() -> None:
        try:
            await main()
        finally:
            traceback.print_exc()
            os._exit(1)

    if not UVLOOP:
        asyncio.run(watched())
        return
    import uvloop

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(watched())


# --- peers -----------------------------------------------------------------------------------------------------------


def contexts(pem: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(the server's, the client's)."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=pem)


def full_listener() -> tuple[str, int]:
    """The address of a listener whose queue is full: who connects to it waits for ever."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    HOLD.append(listener)
    while True:
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        HOLD.append(client)
        try:
            client.getpeername()
        except OSError:  # on loopback it is connected at once or not at all
            return listener.getsockname()


def silent_listener() -> tuple[str, int]:
    """The address of a listener whose connections are taken, by the kernel, and never answered."""
    listener = socket.create_server(("127.0.0.1", 0))
    HOLD.append(listener)
    return listener.getsockname()


def pair() -> socket.socket:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    HOLD.extend((ours, theirs))
    return ours


# --- what waits ------------------------------------------------------------------------------------------------------


async def streams(kind: str, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> None:
    """Connections to a server of ours, each of which waits otherwise."""
    handled: asyncio.Queue = asyncio.Queue()

    async def handles(reader, writer) -> None:
        handled.put_nowait((asyncio.current_task(), writer))
        writer.transport.pause_reading()
        await reader.readline()

    listening = await asyncio.start_server(handles, "127.0.0.1", 0, ssl=server)
    HOLD.append(listening)
    port = listening.sockets[0].getsockname()[1]
    if not server:
        begin("serve_forever", listening.serve_forever(), "Server.serve_forever")
        waits_for("serve_forever", None, None)

    async def connect(name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        task, theirs = await handled.get()
        begun(f"handles {name} {kind}", task, "StreamReader._wait_for_data")
        waits_for(f"handles {name} {kind}", theirs, False)
        HOLD.append(writer)
        return reader, writer

    for name in ("read", "readline", "readexactly"):
        reader, writer = await connect(name)
        waiting = getattr(reader, name)(*([10] if name == "readexactly" else []))
        begin(f"{name} {kind}", waiting, "StreamReader._wait_for_data")
        waits_for(f"{name} {kind}", writer, False)
    _, writer = await connect("drain")
    begin(f"drain {kind}", fills(writer), "FlowControlMixin._drain_helper")
    waits_for(f"drain {kind}", writer, True)
    _, writer = await connect("wait_closed")
    writer.write(MUCH)
    waits_for(f"wait_closed {kind}", writer, None)
    writer.close()
    begin(f"wait_closed {kind}", writer.wait_closed(), "StreamWriter.wait_closed")


async def fills(writer: asyncio.StreamWriter) -> None:
    """TLS lets all go on as soon as the socket has taken a little: only who goes on writing has to wait."""
    while True:
        writer.write(MUCH[: 1 << 20])
        await writer.drain()


def sockets_to(address: tuple[str, int]) -> list[socket.socket]:
    """The sockets of this process that are connected to `address`, whoever has them: they stay theirs."""
    found = []
    for fd in range(256):
        try:
            one = socket.socket(fileno=fd)
        except OSError:
            continue  # no socket
        HOLD.append(one)  # it must not be closed
        try:
            if one.getpeername() == address:
                found.append(one)
        except OSError:
            continue  # it has no peer
    return found


async def connections(client: ssl.SSLContext) -> None:
    """Those that are only begun."""
    loop, silent = asyncio.get_running_loop(), silent_listener()
    begin("connecting", asyncio.open_connection(*full_listener()), "BaseSelectorEventLoop.sock_connect")
    handshake = asyncio.open_connection(*silent, ssl=client, server_hostname="127.0.0.1")
    begin("handshake", handshake, "BaseEventLoop._create_connection_transport")
    plain = await loop.create_connection(asyncio.Protocol, *silent)
    HOLD.extend(plain)
    upgrade = loop.start_tls(*plain, client, server_hostname="127.0.0.1")
    begin("start_tls", upgrade, "BaseEventLoop.start_tls")
    await settle()
    waits_for("start_tls", plain[0], None)
    (other,) = [one for one in sockets_to(silent) if one.fileno() != TRUTH["fds"]["start_tls"]]
    waits_for("handshake", other, None)
    (watched,) = [key for key in loop._selector.get_map().values() if key.data[1] and _connects(key.fd)]
    TRUTH["fds"]["connecting"], TRUTH["writable"]["connecting"] = watched.fd, True


def _connects(fd: int) -> bool:
    """Whether it is a socket that has no peer yet."""
    with socket.socket(fileno=os.dup(fd)) as one:
        try:
            one.getpeername()
        except OSError:
            return True
        return False


def sockets() -> None:
    """Through the loop's methods, without a transport."""
    loop = asyncio.get_running_loop()

    def waits(name: str, given: socket.socket, writable: bool, *arguments: object) -> None:
        begin(name, getattr(loop, name)(given, *arguments), f"{'Loop' if UVLOOP else 'BaseSelectorEventLoop'}.{name}")
        waits_for(name, given, writable)

    waits("sock_recv", pair(), False, 1)
    waits("sock_recv_into", pair(), False, bytearray(1))
    waits("sock_sendall", pair(), True, MUCH)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    waits("sock_accept", listener, False)
    unconnected = socket.socket()
    unconnected.setblocking(False)
    waits("sock_connect", unconnected, True, full_listener())
    if hasattr(loop, "sock_recvfrom") and not UVLOOP:  # since 3.11, where the base class has it
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        datagrams.setblocking(False)
        waits("sock_recvfrom", datagrams, False, 1)


async def main() -> None:
    server, client = contexts(sys.argv[1])
    if not UVLOOP:  # whose connections are begun in C
        await connections(client)
    await streams("plain", None, None)
    await streams("tls", server, client)
    sockets()
    await settle()
    say()


if __name__ == "__main__":
    run(main)
