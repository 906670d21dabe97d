"""The reference adapter (qqdiag/fixes/adapter.py) as a gateway of its own: answers every message until SIGTERM.

python reference_gateway.py TOKEN_URL API_URL
"""

from __future__ import annotations

import asyncio
import signal
import sys

from qqdiag.fixes.adapter import Adapter
from qqdiag.fixes.open_api import Account
from qqdiag.fixes.protocol import Incoming
from qqdiag.fixes.timing import Timing


async def pong(adapter: Adapter, message: Incoming) -> str:
    return "pong"


async def main(token_url: str, api: str) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    bot = Adapter(Account("1", "lab", token_url, api), pong, timing=Timing(delays=(0.2,), rate_limited=0.5, quick=0.0))
    await bot.begin()
    await over.wait()
    await bot.finish()


asyncio.run(main(*sys.argv[1:]))
