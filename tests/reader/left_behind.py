"""Tasks of loops whose thread has ended, each still held: one a thread, and one in the main thread's loop."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading

HOLD: list[object] = []
THREADS = 3


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def starts(name: str) -> None:
    HOLD.append(asyncio.create_task(forever(), name=name))
    await asyncio.sleep(0)


def leaves_a_task(number: int) -> None:
    loop = asyncio.new_event_loop()
    HOLD.append(loop)
    loop.run_until_complete(starts(f"left by {number}"))


async def main() -> None:
    for number in range(THREADS):
        thread = threading.Thread(target=leaves_a_task, args=(number,))
        thread.start()
        thread.join()
    HOLD.append(asyncio.create_task(forever(), name="here"))
    await asyncio.sleep(0)
    print(json.dumps({"pid": os.getpid(), "version": sys.version_info[:3], "loop": id(HOLD[0])}), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main())
