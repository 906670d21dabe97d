"""The process of the lab's gateway: the adapter, a handler of messages, and a thread that says what came about.

    python -m qqdiag.lab.gateway SECONDS PARENT

Says what it runs on, takes its configuration in one line of JSON on stdin, and writes a line for each fact. The
thread ends with the last fact, so that the process then holds nothing but the gateway. Of the package it imports
`fixes` and its neighbours here, for interpreters that have only aiohttp.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import json
import logging
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from qqdiag.fixes.adapter import Adapter
from qqdiag.fixes.open_api import Account
from qqdiag.fixes.timing import Timing
from qqdiag.lab.facts import FACTS, Inside
from qqdiag.lab.leash import leash
from qqdiag.lab.models import MODELS

LOOK_EVERY = 0.02  # seconds
TICK_EVERY = 0.1
LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Abandoning(Adapter):
    """Instead of closing its WebSocket, drops it and closes the session alone (hermes-agent #18221, option B)."""

    async def _drop_connection(self) -> None:
        self.ws = None
        if self.ws_session is not None:
            await self.ws_session.close()


def make_adapter(config: dict[str, Any], kind: type[Adapter] = Adapter) -> Adapter:
    """The adapter that `config` describes."""
    tls = ssl.create_default_context(cafile=config["pem"]) if config["pem"] else None
    account = Account("1", "lab", config["token_url"], config["url"], tls)
    kind = Abandoning if config["abandoning"] else kind
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in config["timing"]]
    timing = Timing(*values)
    return kind(account, MODELS[config["model"]](config), frozenset(config["without"]), timing, config["inline"])


async def tick(inside: Inside) -> None:
    """Work of the gateway that has nothing to do with QQ."""
    while True:
        await asyncio.sleep(TICK_EVERY)
        inside.ticks += 1


def look(inside: Inside) -> None:
    """Announce each fact of the configuration, in order, once it held for its time."""
    for name, seconds in inside.config["facts"]:
        since, same, found = time.monotonic(), None, None
        while found is None or time.monotonic() - since < seconds:
            time.sleep(LOOK_EVERY)
            found = FACTS[name](inside)
            if found is None or found.get("same") != same:
                since, same = time.monotonic(), (found or {}).get("same")
        held = round(time.monotonic() - since, 2)
        write_line({"fact": name, "held": held, **{key: found[key] for key in found if key != "same"}})


def write_line(value: dict[str, Any]) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


async def only_gateway(config: dict[str, Any]) -> None:
    """The gateway, and nothing else in its process."""
    await run_gateway(config, make_adapter(config))


async def run_gateway(config: dict[str, Any], adapter: Adapter) -> None:
    inside = Inside(adapter, config)
    ticking = asyncio.create_task(tick(inside))
    await adapter.begin()
    threading.Thread(target=look, args=(inside,), daemon=True).start()
    await ticking


def take_lock(path: str) -> int:
    """Its descriptor. Waits as long as somebody else has it."""
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def run_as_child(gateway: Callable[[dict[str, Any]], Coroutine[Any, Any, None]]) -> None:
    """Run it with the configuration that its owner sends."""
    leash(float(sys.argv[1]), int(sys.argv[2]))
    httpx = importlib.util.find_spec("httpx") is not None
    write_line({"python": sys.version.split()[0], "aiohttp": aiohttp.__version__, "httpx": httpx})
    config = json.loads(sys.stdin.readline())
    logging.basicConfig(level=logging.INFO, filename=config["log"], format=LINE)
    if config["lock"]:
        config["locked"] = take_lock(config["lock"])
    asyncio.run(gateway(config))


if __name__ == "__main__":
    run_as_child(only_gateway)
