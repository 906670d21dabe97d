"""Each fault switch of the lab's platform does what it says, and can be thrown back."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import select
import socket
import ssl
from collections.abc import Iterator

import aiohttp
import pytest
from lab_client import TOKEN, connected, identify, play, told

from qqdiag.lab.control import Server

pytestmark = pytest.mark.lab


def test_close_with_a_code(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            await identify(ws)
            _, frame = await asyncio.gather(told(server, "close", 4009), ws.receive())
            assert (frame.type, frame.data) == (aiohttp.WSMsgType.CLOSE, 4009)

    play(server, client)


@pytest.mark.parametrize(("how", "end"), [("fin", None), ("rst", ConnectionResetError)])
def test_the_end_without_a_close_frame(server: Server, how: str, end: type[Exception] | None) -> None:
    """Seen by a plain socket: aiohttp reports both ends alike."""
    with raw_websocket(server) as sock:
        assert b"heartbeat_interval" in sock.recv(4096)
        server.cut(how)
        with pytest.raises(end) if end else contextlib.nullcontext():
            # Below TLS, of which session tickets may still lie there; a close_notify would be 24 bytes and no more.
            while received := read_below(sock):
                assert len(received) > 100


def read_below(sock: socket.socket) -> bytes:
    assert select.select([sock], [], [], 10.0)[0]
    return os.read(sock.fileno(), 4096)


@contextlib.contextmanager
def raw_websocket(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=10) as plain:
        context = ssl.create_default_context(cafile=server.pem)
        wrap = functools.partial(context.wrap_socket, server_hostname=server.host, suppress_ragged_eofs=False)
        with wrap(plain) if server.tls else plain as sock:
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
            upgrade = "Connection: Upgrade\r\nUpgrade: websocket"
            sock.sendall(f"GET /websocket/ HTTP/1.1\r\nHost: lab\r\n{upgrade}\r\n{key}\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1)
            assert head.startswith(b"HTTP/1.1 101")
            yield sock


def test_no_ack(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            await identify(ws)
            await told(server, "switch", ack=False)
            await ws.send_json({"op": 1, "d": 1})
            await told(server, "until", "a heartbeat", lambda seen: seen["unanswered"] == 1)
            await told(server, "switch", ack=True)
            await ws.send_json({"op": 1, "d": 1})
            assert await ws.receive_json() == {"op": 11}
        assert server.seen()["heartbeats"] == 2

    play(server, client)


def test_frozen_and_thawed(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            await identify(ws)
            await told(server, "freeze")
            await ws.send_json({"op": 1, "d": 1})
            with pytest.raises(TimeoutError):
                await ws.receive(0.5)
            assert server.seen()["heartbeats"] == 0
            await told(server, "thaw")
            assert await ws.receive_json() == {"op": 11}

    play(server, client)


def test_refused_and_open_again(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        await told(server, "switch", accept=False)
        with pytest.raises(aiohttp.ClientConnectorError) as failure:
            await session.get(f"{server.url}/gateway")
        assert isinstance(failure.value.os_error, ConnectionRefusedError)
        await told(server, "switch", accept=True)
        async with connected(server, session) as ws:
            await identify(ws)

    play(server, client)


@pytest.mark.parametrize(("switch", "path"), [("token", "/app/getAppAccessToken"), ("gateway", "/gateway")])
def test_rest_that_fails_hangs_or_dribbles(server: Server, switch: str, path: str) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        method, url = ("POST" if switch == "token" else "GET"), server.url + path
        await told(server, "switch", **{switch: "fail"})
        async with session.request(method, url) as response:
            assert response.status == 500
        await told(server, "switch", **{switch: "hang"})
        with pytest.raises(TimeoutError):
            await session.request(method, url, timeout=aiohttp.ClientTimeout(total=0.5))
        await told(server, "switch", **{switch: "dribble"})
        # Each read is in time, the whole is not.
        async with session.request(method, url, timeout=aiohttp.ClientTimeout(total=4.0, sock_read=2.0)) as response:
            pieces = [await response.content.readexactly(1) for _ in range(3)]
            assert b"".join(pieces).startswith(b'{"')
            with pytest.raises(TimeoutError) as failure:
                await response.read()
            assert not isinstance(failure.value, aiohttp.SocketTimeoutError)

    play(server, client)


def test_no_hello_and_no_answer_to_identify(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        await told(server, "switch", hello=False, identify=False)
        async with connected(server, session) as ws:
            with pytest.raises(TimeoutError):
                await ws.receive(0.3)
            await ws.send_json({"op": 2, "d": {"token": TOKEN, "intents": 0, "shard": [0, 1]}})
            await told(server, "until", "Identify", lambda seen: seen["identifies"] == 1)
            with pytest.raises(TimeoutError):
                await ws.receive(0.3)

    play(server, client)


def test_chatter_goes_on_after_our_close(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            await identify(ws)
            await told(server, "switch", answer_close=False, chatter=0.05)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.5):  # ws_close is 1
                    await ws.close()
            assert server.seen()["closes"] == 1

    play(server, client)


def test_a_silent_peer_is_waited_for_once(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        await told(server, "switch", answer_close=False)
        async with connected(server, session) as ws:
            await identify(ws)
            async with asyncio.timeout(10.0):
                await ws.close()
            assert ws.close_code == 1006

    play(server, client)


def test_pings_without_reading(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            await identify(ws)
            await told(server, "switch", pings=True, read="nothing")
            frames = [await ws.receive() for _ in range(100)]
            assert {frame.type for frame in frames} == {aiohttp.WSMsgType.PING}
            await ws.send_json({"op": 1, "d": 1})
            await drain_for(ws, 0.5)
            assert server.seen()["heartbeats"] == 0

    play(server, client)


async def drain_for(ws: aiohttp.ClientWebSocketResponse, seconds: float) -> None:
    """Receive for a while; nothing but PING comes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                assert (await ws.receive()).type is aiohttp.WSMsgType.PING
