"""A gateway that stands still, full of canaries: two tasks wait for each other's lock, hundreds more hold what was
planted. It is copied to a package `hermes_cli`, so that it is taken for hermes, and reads from stdin what to plant.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from typing import Any

KEPT: list[Any] = []


class Session:
    """Attributes that its code names, and keys that it does not."""

    def __init__(self, planted: dict[str, Any]) -> None:
        self.token = planted["token"]
        self.known = {planted["key"]: planted["value"], "list": [planted["item"], {"deep": planted["deep"]}]}
        setattr(self, planted["attribute"], True)
        self.__dict__[planted["entry"]] = planted["value"]

    async def wait_for_message(self, secret: str, number: int, data: bytes) -> None:
        hidden = {"inner": secret, "bytes": data}
        try:
            raise RuntimeError(secret)
        except RuntimeError as error:
            error.add_note(secret)
            KEPT.append((hidden, number, error))
            await asyncio.Event().wait()


async def fail(text: str) -> None:
    raise ConnectionResetError(104, text)


async def first_half(mine: asyncio.Lock, other: asyncio.Lock) -> None:
    async with mine:
        await asyncio.sleep(0.05)
        async with other:
            pass


async def main(planted: dict[str, Any]) -> None:
    locks = asyncio.Lock(), asyncio.Lock()
    listening = [socket.socket(socket.AF_UNIX) for _ in planted["sockets"]]
    for one, path in zip(listening, planted["sockets"], strict=True):
        one.bind(path)
    pair = socket.create_server(("127.0.0.1", 0))
    opened = [os.open(path, os.O_CREAT | os.O_WRONLY) for path in planted["files"]]
    for name in planted["thread names"]:
        threading.Thread(target=threading.Event().wait, name=name, daemon=True).start()
    tasks = [
        asyncio.create_task(
            Session(one).wait_for_message(one["local"], one["number"], one["bytes"].encode("utf-8", "replace")),
            name=one["name"],
        )
        for one in planted["tasks"]
    ]
    tasks += [asyncio.create_task(fail(text)) for text in planted["failures"]]
    tasks += [asyncio.create_task(first_half(*locks)), asyncio.create_task(first_half(*locks[::-1]))]
    await asyncio.sleep(0.2)
    KEPT.append((opened, pair))
    print("ready", flush=True)
    await asyncio.gather(*tasks[-2:])


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.readline())))
