"""The lab's gateway among fifty tasks that wait, each in a chain of its own."""

from __future__ import annotations

import asyncio
from typing import Any

from qqdiag.lab import gateway

TASKS = 50


async def wait(turn: asyncio.Event, depth: int) -> None:
    if depth:
        await wait(turn, depth - 1)
    else:
        await turn.wait()


async def crowded(config: dict[str, Any]) -> None:
    turn = asyncio.Event()
    crowd = [asyncio.create_task(wait(turn, number % 8), name=f"session-{number}") for number in range(TASKS)]
    await gateway.only_gateway(config)
    await asyncio.gather(*crowd)


if __name__ == "__main__":
    gateway.run_as_child(crowded)
