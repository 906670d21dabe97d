"""A service, and a gateway (qq_gateway.py) under a supervisor, which starts it again whenever it ends.

    python qq_service.py FOLDER

Says the pid of each once its adapter is at work. The file FOLDER/failure says in which way the service fails; empty: in
none. What is only of one connection is over with it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from aiohttp import WSMsgType, web

GATEWAY = Path(__file__).with_name("qq_gateway.py")
RENEWALS = 2  # connections that end by code 4009, which allows a Resume


class Service:
    """What it does with each connection, by the file."""

    def __init__(self, failure: Path) -> None:
        self._file, self._renewed = failure, 0

    def fails(self, how: str) -> bool:
        return self._file.read_text() == how

    async def connection(self, request: web.Request) -> web.StreamResponse:
        if self.fails("reconnecting") or self.fails("send-waiting"):
            return web.Response(status=500)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await self._answer(ws, json.loads(message.data)["op"])
        return ws

    async def _answer(self, ws: web.WebSocketResponse, op: str) -> None:
        if op == "BEAT":
            await ws.send_json({"op": "ACK"})
        elif self.fails("fatal-close"):
            await ws.close(code=4914)
        elif self.fails("not-ready"):
            self._file.write_text("")  # of this connection alone
        else:
            await ws.send_json({"op": "READY" if op == "IDENTIFY" else "RESUMED"})
            if self.fails("events-lost") and self._renewed < RENEWALS:
                self._renewed += 1
                await ws.close(code=4009)


async def main(folder: Path) -> None:
    application = web.Application()
    application.add_routes([web.get("/", Service(folder / "failure").connection)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    while True:
        gateway = await asyncio.create_subprocess_exec(
            sys.executable, GATEWAY, str(port), folder, stdout=subprocess.PIPE
        )
        assert gateway.stdout is not None
        await gateway.stdout.readline()
        print(gateway.pid, flush=True)
        await gateway.wait()


asyncio.run(main(Path(sys.argv[1])))
