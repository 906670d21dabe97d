"""A stand-in for Home Assistant on loopback, and the gateway's adapter for it in a close that does not end (F01b)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from aiohttp import web
from hermes_gateway import Setting
from hermes_patient import Patient

from qqdiag.run import take
from qqdiag.snapshot import Gateway
from qqdiag.target import resolve

EVERY = 0.5  # seconds between two frames that nobody asked for
CLOSING = (
    "HomeAssistantAdapter._listen_loop",
    "HomeAssistantAdapter._cleanup_ws",
    "ClientWebSocketResponse.close",
)


async def serve(request: web.Request) -> web.WebSocketResponse:
    """Lets the adapter in, sends an event that it cannot use, and then chatters without reading a CLOSE."""
    socket = web.WebSocketResponse(autoclose=False)
    await socket.prepare(request)
    await socket.send_json({"type": "auth_required"})
    await socket.receive_json()
    await socket.send_json({"type": "auth_ok"})
    asked = await socket.receive_json()
    await socket.send_json({"id": asked["id"], "type": "result", "success": True})
    await socket.send_json({"type": "event", "event": None})
    while request.transport is not None and not request.transport.is_closing():
        await socket.send_json({"type": "pong"})
        await asyncio.sleep(EVERY)
    return socket


@contextmanager
def home_assistant(setting: Setting) -> Iterator[Setting]:
    """The server, in a thread; and the setting in which the gateway knows it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        runner = asyncio.run_coroutine_threadsafe(_begin(), loop).result(10)
        port = runner.addresses[0][1]
        config = f"""\
platforms:
  homeassistant: {{enabled: true, token: planted, extra: {{url: "http://127.0.0.1:{port}", watch_all: true}}}}
"""
        yield replace(setting, config=setting.config + config, environment={"HASS_TOKEN": "planted"})
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _begin() -> web.AppRunner:
    app = web.Application()
    app.add_routes([web.get("/api/websocket", serve)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


def close_hang_elsewhere(patient: Patient) -> None:
    """F01b in another platform: each frame starts the close timeout of 30 s anew. The QQ platform is well."""
    patient.gateway.wait_log(r"\[Homeassistant\] Reconnecting in 5s")
    began = time.monotonic()
    patient.gateway.wait(lambda: time.monotonic() > began + 10, "5 s of back-off, and 5 s of its close")
    assert patient.gateway.platform_state() == "connected"
    gateway = take(resolve(str(patient.pid)), interval=0).samples[-1].gateway
    assert isinstance(gateway, Gateway)
    known = {one.platform.reveal(): one for one in gateway.adapters}
    assert known.keys() == {"qqbot", "homeassistant"}
    assert all(one.listener and one.websocket for one in known.values())
