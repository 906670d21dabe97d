"""A process that has given up its rights, which makes it not dumpable (prctl(2)): `closed.py waits|computes`."""

import asyncio
import os
import sys

NOBODY = 65534


async def main() -> None:
    print("ready", flush=True)
    if sys.argv[1] == "computes":
        while True:
            pass
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    asyncio.run(main())
