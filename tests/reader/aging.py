"""A program that says since when its tasks wait. For CPython 3.9 and later.

It prints one JSON line and then waits in its loop; with "busy" as argument the loop runs all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys


async def future_in(kind, seconds) -> None:
    future = asyncio.get_running_loop().create_future()
    if kind == "sleep":
        await asyncio.sleep(seconds)
    elif kind == "wait_for":
        await asyncio.wait_for(future, seconds)
    elif kind == "wait":
        await asyncio.wait([future], timeout=seconds)
    elif kind == "scope":
        async with asyncio.timeout(seconds):
            await future
    else:
        await future


async def own_sleep(delay) -> None:
    """No sleep of asyncio, and a local of the same name."""
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(3600, future.set_result, None)
    await future


own_sleep.__qualname__ = own_sleep.__name__ = "sleep"


async def main() -> None:
    loop = asyncio.get_running_loop()
    truth = {"pid": os.getpid(), "tasks": {}}
    kinds = [("sleep", 3600), ("sleep", 1800.5), ("wait_for", 900.25), ("wait", 700), ("future", 0)]
    kinds += [("scope", 600)] if hasattr(asyncio, "timeout") else []
    kept = []
    for kind, seconds in [*kinds, ("own", 5)]:
        before = loop.time()
        task = loop.create_task(own_sleep(seconds) if kind == "own" else future_in(kind, seconds))
        await asyncio.sleep(0)
        kept.append(task)
        truth["tasks"][id(task)] = [kind, before, loop.time()]
        await asyncio.sleep(0.01)
    print(json.dumps(truth), flush=True)
    while "busy" in sys.argv:
        await asyncio.sleep(0)
    await asyncio.gather(*kept)


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
