"""A task in the loop of a subinterpreter, in a thread of its own; the main interpreter has asyncio, and no loop."""

from __future__ import annotations

import asyncio  # noqa: F401 (two interpreters have it, each with books of its own)
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


if __name__ == "__main__":
    reader, writer = os.pipe()
    interpreter = interpreters.create()
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    threading.Thread(target=run, args=(interpreter, CODE.format(fd=writer)), daemon=True).start()
    os.read(reader, 1)
    print(json.dumps({"pid": os.getpid()}), flush=True)
    sys.stdin.readline()
