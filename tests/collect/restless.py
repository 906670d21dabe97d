"""A loop whose tasks stand still, a socket, and a thread that never rests."""

from __future__ import annotations

import asyncio
import sys
import threading


def spin() -> None:
    while True:
        pass


async def main() -> None:
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(3)]
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0):
        threading.Thread(target=spin, daemon=True).start()
        asyncio.get_running_loop().call_soon(print, "ready")
        asyncio.get_running_loop().call_soon(sys.stdout.flush)
        await asyncio.gather(*tasks)


asyncio.run(main())
