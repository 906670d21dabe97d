"""The process of the lab's platform: listening sockets, and a control channel of JSON lines.

    python -m qqdiag.lab.server SECONDS PARENT

Its configuration in one line on stdin, then commands; an answer each on stdout.
Commands are read by a thread of its own, so that a frozen server can be thawed. The end of stdin ends the process.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import json
import os
import socket
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from qqdiag.lab import conversation, cuts, rest
from qqdiag.lab.certificate import server_context
from qqdiag.lab.leash import leash
from qqdiag.lab.platform import Platform

CUTS: dict[str, Callable[..., Awaitable[None]]] = {
    "close": cuts.close,
    "reconnect": cuts.reconnect,
    "invalid-session": cuts.invalid_session,
    "bad-hello": cuts.bad_hello,
    "frame": cuts.frame,
    "fin": cuts.fin,
    "rst": cuts.rst,
    "deafen": cuts.deafen,
    "close-idle": cuts.close_idle,
    "say": cuts.say,
}


def application(platform: Platform) -> web.Application:
    """Every endpoint, for `platform`."""
    app = web.Application()
    for method, path, endpoint in (
        ("POST", "/app/getAppAccessToken", rest.token),
        ("GET", "/gateway", rest.gateway),
        ("GET", "/gateway/bot", rest.gateway),
        ("GET", "/websocket/", conversation.websocket),
        ("POST", "/v2/users/{openid}/messages", rest.messages),
        ("POST", "/v2/groups/{openid}/messages", rest.messages),
        ("POST", "/model", rest.model),
        ("GET", "/idle", rest.idle),
    ):
        app.router.add_route(method, path, functools.partial(endpoint, platform))
    return app


class Listening:
    """One listening socket, that can be closed and opened again on the same port."""

    def __init__(self, runner: web.AppRunner, host: str, context: ssl.SSLContext | None) -> None:
        self.runner, self.host, self.context = runner, host, context
        self.port = 0
        self.server: asyncio.Server | None = None

    async def open(self) -> None:
        if self.server is not None:
            return
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # No small SO_RCVBUF, however soon it would fill: where that limit drops segments, the acknowledgements on them
        # are dropped too (Linux 6.18), and the two sides retransmit for minutes instead of waiting for room.
        sock.bind((self.host, self.port))
        self.port = sock.getsockname()[1]
        assert self.runner.server is not None
        # Like a real server: close_notify and FIN, without waiting for the client's close_notify.
        shutdown = 0.1 if self.context else None
        self.server = await asyncio.get_running_loop().create_server(
            self.runner.server, sock=sock, ssl=self.context, ssl_shutdown_timeout=shutdown
        )

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None


class Control:
    """Carries out the commands of the owner."""

    def __init__(self, platform: Platform, listening: list[Listening]) -> None:
        self.platform = platform
        self.listening = listening
        self.loop = asyncio.get_running_loop()
        self.thawed = threading.Event()

    def serve(self) -> None:
        """The control thread: until the owner closes stdin."""
        for line in sys.stdin:
            command = json.loads(line)
            write_line(self.carry_out(command.pop("do"), command))
        os._exit(0)

    def carry_out(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if do == "seen":
            return dataclasses.asdict(self.platform.seen) | {"open": len(self.platform.connections)}
        if do == "freeze":
            return self.freeze()
        if do == "thaw":
            self.thawed.set()
            return {}
        work = self.switch(arguments) if do == "switch" else CUTS[do](self.platform, **arguments)
        assert inspect.iscoroutine(work)
        asyncio.run_coroutine_threadsafe(work, self.loop).result()
        return {}

    def freeze(self) -> dict[str, Any]:
        """Stop the loop in its tracks; the kernel alone goes on answering."""
        self.thawed.clear()
        frozen = threading.Event()

        def stand_still() -> None:
            frozen.set()
            self.thawed.wait()

        self.loop.call_soon_threadsafe(stand_still)
        frozen.wait()
        return {}

    async def switch(self, faults: dict[str, Any]) -> None:
        self.platform.faults = dataclasses.replace(self.platform.faults, **faults)
        self.platform.changed.set()
        self.platform.changed.clear()
        for listening in self.listening:
            if self.platform.faults.accept:
                await listening.open()
            else:
                listening.close()


async def serve(config: dict[str, Any]) -> None:
    """Serve until the process ends. The first line on stdout says where."""
    platform = Platform()
    runner = web.AppRunner(application(platform), access_log=None)
    await runner.setup()
    host, pem = config["host"], config["pem"]
    contexts = [server_context(Path(pem)) if config["tls"] else None]
    if config["pools"]:
        contexts += [server_context(Path(pem)), server_context(Path(pem), ssl.TLSVersion.TLSv1_2)]
    listening = [Listening(runner, host, context) for context in contexts]
    for one in listening:
        await one.open()
    control = Control(platform, listening)
    write_line({"pid": os.getpid(), "ports": [one.port for one in listening]})
    threading.Thread(target=control.serve, daemon=True).start()
    await asyncio.Event().wait()


def write_line(value: dict[str, Any]) -> None:
    """One JSON line for the owner."""
    os.write(1, json.dumps(value).encode() + b"\n")


def main() -> None:
    leash(float(sys.argv[1]), int(sys.argv[2]))
    asyncio.run(serve(json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main()
