"""The adapter with every fix, through faults in random order: it always comes back, and loses nothing that it may keep.

Twenty seconds here; `QQDIAG_SOAK=600` for ten minutes and as many faults as fit, at least one every two seconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from qqdiag.fixes.adapter import Adapter
from qqdiag.fixes.open_api import Account
from qqdiag.fixes.protocol import Incoming
from qqdiag.fixes.timing import Timing
from qqdiag.lab.control import Server, start_server
from qqdiag.lab.faults import Faults

SECONDS = float(os.environ.get("QQDIAG_SOAK", "20"))
TIMING = Timing(
    ws_close=0.5,
    close_total=0.5,
    ready=1.0,
    rest_total=1.0,
    rate_limited=0.5,
    delays=(0.05, 0.1, 0.2),
    send_wait=5.0,
    quick=0.0,  # every connection here is a short one
    stall=10.0,
)
WELL = asdict(Faults())

Fault = Callable[[Server], None]


def switched(then: str | int | None = None, **faults: Any) -> Fault:
    """Throw switches, and then cut what is connected, so that the next connection meets them."""

    def throw(server: Server) -> None:
        server.switch(**faults)
        if isinstance(then, int):
            server.close(then)
        elif then is not None:
            server.cut(then)

    return throw


def frozen(server: Server) -> None:
    server.freeze()
    time.sleep(1.0)  # three heartbeats without an answer
    server.thaw()


FAULTS: dict[str, Fault] = {
    **{cut: switched(cut) for cut in ("fin", "rst", "reconnect", "invalid-session", "bad-hello")},
    **{f"close {code}": switched(code) for code in (1000, 4000, 4004, 4006, 4007, 4008, 4009, 4902)},
    "no ACK": switched(ack=False),
    "no Hello": switched("fin", hello=False),
    "Identify ignored": switched("invalid-session", identify=False),
    "Resume ignored": switched("rst", identify=False),
    "CLOSE ignored": switched("reconnect", answer_close=False),
    "CLOSE ignored, chatter": switched("bad-hello", answer_close=False, chatter=0.05),
    "reads nothing": switched(read="nothing", pings=True, ack=False),
    "refused": switched("fin", accept=False),
    **{f"token {how}": switched(4004, token=how) for how in ("fail", "hang", "dribble")},
    **{f"/gateway {how}": switched("rst", gateway=how, upgrade="fail") for how in ("fail", "hang", "dribble")},
    **{f"upgrade {how}": switched("fin", upgrade=how) for how in ("fail", "hang")},
    "slow REST": switched("fin", delay=0.3),
    "no frame": lambda server: server.frame("{"),
    "frozen": frozen,
}


@dataclass
class Size:
    """What must not grow."""

    tasks: int
    fds: int
    resident: int  # bytes


def size() -> Size:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Size(len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE"))


async def until(server: Server, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return await asyncio.to_thread(server.until, what, holds)


async def answered(server: Server, text: str) -> None:
    await until(server, f"an answer to {text}", lambda seen: text in seen["contents"])


async def heal(server: Server, bot: Adapter, number: int) -> None:
    """All switches back; it must be ready again, and answer."""
    await asyncio.to_thread(server.switch, **WELL)
    probe, end = f"probe {number}", time.monotonic() + 30
    while probe not in server.seen()["contents"]:
        assert time.monotonic() < end, "it did not come back"
        async with asyncio.timeout(30):
            await bot.is_ready.wait()
        await asyncio.to_thread(server.say, probe)
        await asyncio.sleep(0.05)


async def endure(server: Server, chance: random.Random) -> dict[str, int]:
    async def echo(adapter: Adapter, message: Incoming) -> str:
        return message.content

    bot = Adapter(Account("1", "lab", server.token_url, server.url), echo, timing=TIMING)
    await bot.begin()
    await heal(server, bot, 0)
    thrown, end, before = dict.fromkeys(FAULTS, 0), time.monotonic() + SECONDS, size()
    number = 0
    while time.monotonic() < end:
        for name in chance.sample(sorted(FAULTS), len(FAULTS)):
            if time.monotonic() > end:
                break
            number += 1
            await round_of(server, bot, name, number)
            thrown[name] += 1
            if number == 5:  # what is made once is made
                before = size()
    assert bot.watchdog is not None
    assert (bot.watchdog.stalls, bot.supervisor.restarts) == (0, 0)
    await settled(server, before)
    await bot.finish()
    return thrown


async def round_of(server: Server, bot: Adapter, name: str, number: int) -> None:
    """A message, the fault at once behind it, and the way back."""
    identified, kept = server.seen()["identifies"], f"kept {number} {name}"
    await asyncio.to_thread(server.say, kept)
    await asyncio.to_thread(FAULTS[name], server)
    await asyncio.sleep(0.1)  # the fault lasts a moment
    await heal(server, bot, number)
    if server.seen()["identifies"] == identified:  # the session went on, so its events are the client's to answer
        await answered(server, kept)


async def settled(server: Server, before: Size) -> None:
    deadline = time.monotonic() + 20
    while (now := size()).tasks > before.tasks or now.fds > before.fds:
        assert time.monotonic() < deadline, f"{before} grew to {now}"
        await asyncio.sleep(0.05)
    assert now.resident < before.resident + (32 << 20)


@pytest.mark.lab
def test_it_comes_back_from_every_fault_and_loses_nothing() -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")  # shown when it fails
    with start_server(bound=SECONDS + 300) as server:
        thrown = asyncio.run(endure(server, random.Random(seed)))
    assert sum(thrown.values()) >= SECONDS / 2
    assert SECONDS < 60 or all(thrown.values())
