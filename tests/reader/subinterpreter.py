"""A task in the main interpreter and one in a subinterpreter, each in a loop of a thread of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading

if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

CODE = """
import asyncio, os

async def inside():
    os.write({fd}, b".")
    await asyncio.sleep(3600)

async def main():
    await asyncio.create_task(inside(), name="inside")

asyncio.run(main())
"""


async def outside() -> None:
    await asyncio.sleep(3600)


async def main(told: int) -> None:
    task = asyncio.create_task(outside(), name="outside")
    await asyncio.sleep(0)
    await asyncio.to_thread(os.read, told, 1)
    print(json.dumps({"pid": os.getpid()}), flush=True)
    await task


if __name__ == "__main__":
    reader, writer = os.pipe()
    interpreter = interpreters.create()
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    threading.Thread(target=run, args=(interpreter, CODE.format(fd=writer)), daemon=True).start()
    asyncio.run(main(reader))
