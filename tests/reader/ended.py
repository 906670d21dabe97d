"""A target whose listener has failed unnoticed: nothing but the object that started it knows the task still.

Prints a line of JSON: its pid, and the addresses of the task that failed, of one that was cancelled, and of one that
runs.
"""

import asyncio
import json
import os


class Listener:
    def __init__(self):
        self.ended = self.left = self.beating = None

    async def listen(self):
        await asyncio.sleep(0)
        await self.receive()

    async def receive(self):
        raise ConnectionError("no more attempts")

    async def wait(self):
        await asyncio.Event().wait()


async def main():
    listener = Listener()
    listener.ended = asyncio.create_task(listener.listen(), name="ended")
    listener.left = asyncio.create_task(listener.wait(), name="left")
    listener.beating = asyncio.create_task(listener.wait(), name="beating")
    await asyncio.sleep(0.01)
    listener.left.cancel()
    await asyncio.wait({listener.ended, listener.left})
    truth = {name: id(getattr(listener, name)) for name in ("ended", "left", "beating")}
    print(json.dumps({"pid": os.getpid(), **truth}), flush=True)
    await asyncio.sleep(600)


asyncio.run(main())
