"""What deploy/README.md says of WatchdogSec= and RuntimeMaxSec=: what they end, and what they do not notice.

No systemd runs where tests do, so `managed` stands in for it: the socket, the time since the last WATCHDOG=1 and the
signals are those of systemd.service(5), the rest of it is not there. The adapter and the fix are the real ones.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from qqdiag.fixes.adapter import Adapter
from qqdiag.fixes.open_api import Account
from qqdiag.fixes.protocol import Incoming
from qqdiag.fixes.timing import Timing
from qqdiag.lab.control import Server, start_server

WATCHDOG, LONGEST = 4.0, 10.0  # seconds: WatchdogSec= and RuntimeMaxSec=
KILL = 1.0  # seconds after SIGTERM: TimeoutStopSec=
SOON = 20.0
QUICK: dict[str, Any] = {"delays": (0.02,), "attempts": 1, "quick": 0.0, "ws_close": None}

GATEWAY = """
import asyncio, os, sys
from qqdiag.fixes.loop_watchdog import LoopWatchdog

async def main(how):
    loop = asyncio.get_running_loop()
    dog = LoopWatchdog(loop, stall=1.0, limit=2.0 if how == "loop-blocked, with a limit" else None, every=0.4)
    loop.add_signal_handler(15, sys.exit)
    if how != "does not feed":
        dog.begin()
        begun = dog.answered_at
        while dog.answered_at == begun:
            await asyncio.sleep(0.01)
    if how == "hot-loop":
        while True:
            pass
    if how.startswith("loop-blocked"):
        os.read(os.pipe()[0], 1)
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


def managed(how: str, folder: Path) -> tuple[str, int]:
    """Runs a gateway: what ended it, and its exit status (negative: the signal)."""
    address = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(address))
        command = [sys.executable, "-P", "-c", GATEWAY, how]
        environment = {**os.environ, "NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            why = watched(process, receiver)
            process.send_signal(signal.SIGABRT if why == "WatchdogSec" else signal.SIGTERM)
            try:
                return why, process.wait(KILL)
            except subprocess.TimeoutExpired:
                process.kill()
                return why, process.wait()


def watched(process: subprocess.Popen[bytes], receiver: socket.socket) -> str:
    began = fed = time.monotonic()
    while process.poll() is None:
        if select.select([receiver], [], [], 0.05)[0] and receiver.recv(100) == b"WATCHDOG=1":
            fed = time.monotonic()
        if time.monotonic() - fed > WATCHDOG:
            return "WatchdogSec"
        if time.monotonic() - began > LONGEST:
            return "RuntimeMaxSec"
    return "ended"


ENDS = {
    "hot-loop": ("WatchdogSec", -signal.SIGABRT),
    "loop-blocked": ("WatchdogSec", -signal.SIGABRT),
    "loop-blocked, with a limit": ("ended", 75),  # without any manager, as under launchd and Docker
    "does not feed": ("WatchdogSec", -signal.SIGABRT),  # healthy all the while
    "healthy": ("RuntimeMaxSec", 0),
}


def test_what_a_manager_ends(tmp_path: Path) -> None:
    for number in range(len(ENDS)):
        (tmp_path / str(number)).mkdir()
    with ThreadPoolExecutor(len(ENDS)) as pool:
        ended = pool.map(managed, ENDS, (tmp_path / str(number) for number in range(len(ENDS))))
    assert dict(zip(ENDS, ended, strict=True)) == ENDS


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(SOON)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


def dead_listener(server: Server) -> None:
    server.switch(gateway="fail")
    server.cut("fin")


def close_hang(server: Server) -> None:
    server.switch(answer_close=False, chatter=0.02)
    server.cut("bad-hello")


def is_stuck(bot: Adapter) -> bool:
    """The listener has ended, or waits in close()."""
    listener = bot.listening
    return listener is None or listener.done() or (bot.ws is not None and bot.ws.closed)


@pytest.mark.lab
@pytest.mark.parametrize("failure", [dead_listener, close_hang])
def test_a_gateway_that_hears_nothing_more_is_fed_on(failure: Any, manager: socket.socket) -> None:
    async def silent(adapter: Adapter, message: Incoming) -> None:
        return None

    async def main(server: Server) -> None:
        account = Account("1", "lab", server.token_url, server.url)
        without = frozenset({"bounded-close", "listener", "supervisor", "url-cache"})
        bot = Adapter(account, silent, without, Timing(**QUICK))
        await bot.begin()
        async with asyncio.timeout(SOON):
            await bot.is_ready.wait()
            await asyncio.to_thread(failure, server)
            while not is_stuck(bot):
                await asyncio.sleep(0.02)
        while select.select([manager], [], [], 0)[0]:
            manager.recv(100)
        for _ in range(2):  # the fix asks the loop every second
            assert await asyncio.to_thread(manager.recv, 100) == b"WATCHDOG=1"
        assert is_stuck(bot)
        await asyncio.to_thread(server.switch, chatter=0.0, answer_close=True)
        await asyncio.to_thread(server.cut, "rst")
        await bot.finish()

    with start_server() as server:
        asyncio.run(main(server))
