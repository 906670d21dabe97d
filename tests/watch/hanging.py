"""A gateway that blocks its loop as long as the file that it is given is there. It says its pid when it begins."""

import asyncio
import os
import sys
import time


async def main() -> None:
    print(os.getpid(), flush=True)
    await asyncio.sleep(0.2)
    while os.path.exists(sys.argv[1]):
        time.sleep(3600)
    await asyncio.Event().wait()


asyncio.run(main())
