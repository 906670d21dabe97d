"""A program whose tasks wait for real sockets through the libraries that gateways use, plain and TLS; see endpoints.py.

The peers of the clients are in the same process: they take what comes and say no more than they must. Of discord.py,
redis and websockets those are left out that are not installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
import sys
from collections.abc import Awaitable

import aiohttp
import anyio
import endpoints
import httpx
import yarl
from aiohttp import web
from endpoints import HOLD, begin, begun, pair, settle, stands, waits_for

HERE = {name for name in ("discord", "redis", "websockets") if importlib.util.find_spec(name)}
if "discord" in HERE:
    import discord
    from discord.gateway import DiscordWebSocket
if "redis" in HERE:
    import redis.asyncio
if "websockets" in HERE:
    import websocket_ends

CURRENT: asyncio.Queue[tuple[asyncio.Task, web.Request]] = asyncio.Queue()  # handlers of the server that were called


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


# --- aiohttp ---------------------------------------------------------------------------------------------------------


async def silent(request: web.Request) -> web.Response:
    """No answer to a request."""
    CURRENT.put_nowait((asyncio.current_task(), request))
    await forever()


async def half(request: web.Request) -> web.StreamResponse:
    """The head of an answer and a part of its body."""
    CURRENT.put_nowait((asyncio.current_task(), request))
    answer = web.StreamResponse(headers={"Content-Length": "100"})
    await answer.prepare(request)
    await answer.write(b"some")
    await forever()


async def receives(request: web.Request) -> web.WebSocketResponse:
    """A WebSocket that is read; a gateway of Discord says HELLO in it."""
    CURRENT.put_nowait((asyncio.current_task(), request))
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    if "v" in request.query:
        await answer.send_json({"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": 3_600_000}})
    async for _ in answer:
        pass
    return answer


async def uploads(request: web.Request) -> web.Response:
    """It reads a body that never comes to its end."""
    CURRENT.put_nowait((asyncio.current_task(), request))
    return web.Response(body=await request.read())


async def serve(context: ssl.SSLContext | None) -> int:
    application = web.Application()
    for path, handler in (("/silent", silent), ("/half", half), ("/", receives), ("/uploads", uploads)):
        application.router.add_route("*", path, handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    HOLD.append(runner)
    return site._server.sockets[0].getsockname()[1]


def newest(session: aiohttp.ClientSession) -> asyncio.Transport:
    """The transport of a session's one connection in use."""
    (connection,) = session.connector._acquired
    return connection.transport


async def aiohttp_clients(kind: str, port: int, client: ssl.SSLContext | None) -> None:
    address = f"http{'s' if client else ''}://127.0.0.1:{port}"

    def session() -> aiohttp.ClientSession:
        made = aiohttp.ClientSession(address, connector=aiohttp.TCPConnector(limit=1, ssl=client or False))
        HOLD.append(made)
        return made

    asking, name = session(), f"aiohttp headers {kind}"
    begin(name, asking.get("/silent"), lambda: newest(asking).get_protocol()._waiter is not None)
    await CURRENT.get()
    waits_for(name, newest(asking), False)
    if not client:  # the one connection that there may be is taken
        begin("aiohttp pool", asking.get("/silent"), lambda: bool(asking.connector._waiters))
        waits_for("aiohttp pool", None, None)

    one, name = session(), f"aiohttp body {kind}"
    response = await one.get("/half")
    await CURRENT.get()
    begin(name, response.read(), "StreamReader._wait")
    waits_for(name, newest(one), False)

    one, name = session(), f"aiohttp WebSocket {kind}"
    websocket = await one.ws_connect("/")
    HOLD.append(websocket)
    task, request = await CURRENT.get()
    begin(name, websocket.receive(), "ClientWebSocketResponse.receive")
    waits_for(name, websocket, False)
    begun(f"aiohttp server WebSocket {kind}", task, "WebSocketResponse.receive")
    waits_for(f"aiohttp server WebSocket {kind}", request.transport, False)

    one = session()

    async def parts():
        yield b"some"
        await forever()

    posting = asyncio.get_running_loop().create_task(one.post("/uploads", data=parts()))
    HOLD.append(posting)
    task, request = await CURRENT.get()
    begun(f"aiohttp server body {kind}", task, "StreamReader._wait")
    waits_for(f"aiohttp server body {kind}", request.transport, False)

    one = session()
    HOLD.append(one)
    name = f"aiohttp upload {kind}"
    websocket = await one.ws_connect("/")
    task, request = await CURRENT.get()
    request.transport.pause_reading()

    async def fills() -> None:
        while True:
            await websocket.send_bytes(endpoints.MUCH[: 1 << 20])

    begin(name, fills(), "BaseProtocol._drain_helper")
    waits_for(name, websocket, True)


async def aiohttp_idle(port: int) -> None:
    """A connection to the server on which nobody asks for anything yet."""
    before = set(asyncio.all_tasks())
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    HOLD.append(writer)
    ours = writer.get_extra_info("sockname")
    while True:
        for task in asyncio.all_tasks() - before:
            protocol = task.get_coro().cr_frame.f_locals.get("self") if task.get_coro().cr_frame else None
            if isinstance(protocol, web.RequestHandler) and protocol.transport.get_extra_info("peername") == ours:
                begun("aiohttp idle", task, "RequestHandler.start")
                waits_for("aiohttp idle", protocol.transport, False)
                return
        await asyncio.sleep(0)


# --- httpx, anyio, redis ---------------------------------------------------------------------------------------------


async def httpx_clients(kind: str, port: int, client: ssl.SSLContext | None) -> None:
    address = f"http{'s' if client else ''}://127.0.0.1:{port}"

    def made() -> httpx.AsyncClient:
        one = httpx.AsyncClient(
            verify=client or False, trust_env=False, timeout=None, limits=httpx.Limits(max_connections=1)
        )
        HOLD.append(one)
        return one

    def stream(one: httpx.AsyncClient) -> anyio.abc.ByteStream:
        """Of its one connection, below TLS."""
        (connection,) = one._transport._pool.connections
        found = connection._connection._network_stream._stream
        return getattr(found, "transport_stream", found)

    def waits(name: str, one: httpx.AsyncClient, coroutine: Awaitable[object]) -> None:
        begin(name, coroutine, lambda: bool(stream(one)._protocol.read_event._waiters))

    one, name = made(), f"httpx headers {kind}"
    waits(name, one, one.get(f"{address}/silent"))
    await CURRENT.get()
    waits_for(name, stream(one)._transport, False)
    if not client:
        begin("httpx pool", one.get(f"{address}/silent"), "Event.wait")
        waits_for("httpx pool", None, None)
    one, name = made(), f"httpx body {kind}"
    response = await one.send(one.build_request("GET", f"{address}/half"), stream=True)
    await CURRENT.get()
    waits(name, one, response.aread())
    waits_for(name, stream(one)._transport, False)


async def anyio_clients(port: int) -> None:
    stream = await anyio.connect_tcp("127.0.0.1", port)
    HOLD.append(stream)
    begin("anyio receive", stream.receive(), "Event.wait")
    waits_for("anyio receive", stream.extra(anyio.abc.SocketAttribute.raw_socket), False)
    stream = await anyio.connect_tcp(*endpoints.silent_listener())
    HOLD.append(stream)

    async def fills() -> None:
        while True:
            await stream.send(endpoints.MUCH[: 1 << 20])

    begin("anyio send", fills(), "Event.wait")
    waits_for("anyio send", stream.extra(anyio.abc.SocketAttribute.raw_socket), True)
    datagrams = await anyio.create_udp_socket(local_host="127.0.0.1")
    begin("anyio datagrams", datagrams.receive(), "Event.wait")
    waits_for("anyio datagrams", datagrams.extra(anyio.abc.SocketAttribute.raw_socket), False)
    plain = pair()
    begin("anyio wait_readable", anyio.wait_readable(plain), "AsyncIOBackend.wait_readable")
    waits_for("anyio wait_readable", plain, False)


async def redis_client() -> None:
    one = redis.asyncio.Redis.from_url("redis://{}:{}".format(*endpoints.silent_listener()), socket_timeout=None)
    HOLD.append(one)
    begin("redis", one.ping(), "StreamReader._wait_for_data")
    while not stands("redis"):
        await asyncio.sleep(0.002)
    (connection,) = one.connection_pool._in_use_connections
    waits_for("redis", connection._writer, False)


# --- discord.py ------------------------------------------------------------------------------------------------------


async def discord_client(kind: str, port: int, context: ssl.SSLContext | None) -> None:
    """The library's own gateway connection, after HELLO and IDENTIFY."""
    client = discord.Client(intents=discord.Intents.none())
    await client._async_setup_hook()
    connector = aiohttp.TCPConnector(ssl=context or False)
    session = aiohttp.ClientSession(connector=connector, ws_response_class=discord.http.DiscordClientWebSocketResponse)
    client.http._HTTPClient__session = session
    client.http.token = "nobody's"
    gateway = yarl.URL(f"ws{'s' if context else ''}://127.0.0.1:{port}/")
    websocket = await DiscordWebSocket.from_client(client, initial=True, gateway=gateway, compress=False)
    HOLD.extend((client, websocket))
    await CURRENT.get()

    async def polls() -> None:
        while True:
            await websocket.poll_event()

    begin(f"discord {kind}", polls(), "ClientWebSocketResponse.receive")
    waits_for(f"discord {kind}", websocket.socket, False)


async def main() -> None:
    server, client = endpoints.contexts(sys.argv[1])
    for kind, ours, theirs in (("plain", None, None), ("tls", server, client)):
        port = await serve(ours)
        await aiohttp_clients(kind, port, theirs)
        await httpx_clients(kind, port, theirs)
        if "websockets" in HERE:
            await websocket_ends.begin_all(kind, ours, theirs)
        if "discord" in HERE:
            await discord_client(kind, port, theirs)
        if kind == "plain":
            await aiohttp_idle(port)
            await anyio_clients(port)
    if "redis" in HERE:
        await redis_client()
    await settle()
    endpoints.say()


endpoints.run(main)
