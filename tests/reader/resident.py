"""Tasks beside a heap of so many megabytes of Python objects, all of it touched. For CPython 3.9 and later."""

from __future__ import annotations

import asyncio
import json
import os
import sys

HEAP: list[object] = []


async def nested(depth: int) -> None:
    await (nested(depth - 1) if depth else asyncio.sleep(3600))


async def main() -> None:
    half = int(sys.argv[1]) << 19  # bytes: of lists, which the collector has in its own, and of others
    HEAP.append([[number] for number in range(half // 112)])
    HEAP.append([bytes(400) for _ in range(half // 448)])
    kept = [asyncio.ensure_future(nested(3)) for _ in range(300)]
    asyncio.get_running_loop().call_later(0.01, tell)
    await asyncio.gather(*kept)


def tell() -> None:
    print(json.dumps({"pid": os.getpid()}), flush=True)


asyncio.run(main())
