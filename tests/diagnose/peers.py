"""Servers on loopback for `patients.py`, in a thread of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

from aiohttp import WSCloseCode, web

EVERY = 0.1  # seconds between messages that are sent without being asked for


async def talking(request: web.Request) -> web.WebSocketResponse:
    """Sends a message again and again, and answers a close."""
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        while not answer.closed:
            await answer.send_str("word " * 20)
            await asyncio.sleep(EVERY)
    return answer


async def chattering(request: web.Request) -> web.WebSocketResponse:
    """The same, without ever reading: a CLOSE is not answered."""
    return await talking(request)


async def deaf(request: web.Request) -> web.WebSocketResponse:
    """One message, then nothing, and nothing is read."""
    answer = web.WebSocketResponse(autoclose=False)
    await answer.prepare(request)
    await answer.send_str("the only one")
    await asyncio.Event().wait()
    return answer


async def quiet(request: web.Request) -> web.WebSocketResponse:
    """One message, then it reads."""
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    await answer.send_str("the only one")
    async for _ in answer:
        pass
    await answer.close(code=WSCloseCode.GOING_AWAY)
    return answer


async def echoing(request: web.Request) -> web.WebSocketResponse:
    """Answers each message."""
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    async for message in answer:
        await answer.send_str(message.data)
    return answer


async def leaving(request: web.Request) -> web.WebSocketResponse:
    """One message, then it closes."""
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    await answer.send_str("the only one")
    await answer.close()
    return answer


@contextlib.contextmanager
def websocket_server(host: str = "127.0.0.1") -> Iterator[int]:
    """A WebSocket server; yields its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        runner = asyncio.run_coroutine_threadsafe(_serve(host), loop).result(10)
        try:
            yield runner.addresses[0][1]
        finally:
            asyncio.run_coroutine_threadsafe(_end(runner), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _serve(host: str) -> web.AppRunner:
    app = web.Application()
    routes = {"/echo": echoing, "/": talking, "/chatter": chattering, "/deaf": deaf, "/quiet": quiet}
    routes["/leave"] = leaving
    app.add_routes([web.get(path, handler) for path, handler in routes.items()])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, 0).start()
    return runner


async def _end(runner: web.AppRunner) -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await runner.cleanup()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def unread_server() -> Iterator[int]:
    """A port that accepts in the kernel and that nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        yield listener.getsockname()[1]
