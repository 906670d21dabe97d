"""The adapter with every fix, through faults in random order: it always comes back, and loses nothing that it may keep.

    QQDIAG_SOAK=600        seconds, 50 unless told; every fault is thrown once however long that takes
    QQDIAG_SOAK_SEED=7     the same order again; a run that fails prints its own

At 600 s it is at least 300 faults: the nightly run, with `-o faulthandler_timeout=0` for its length.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from qqdiag.fixes.adapter import Adapter
from qqdiag.fixes.listener import TRANSPORT_ERRORS
from qqdiag.fixes.open_api import Account
from qqdiag.fixes.protocol import Incoming
from qqdiag.fixes.session_resume import Session
from qqdiag.fixes.timing import Timing
from qqdiag.lab.control import Server, start_server
from qqdiag.lab.faults import Faults
from qqdiag.lab.server import CUTS

SECONDS = float(os.environ.get("QQDIAG_SOAK", "50"))
SEED = int(os.environ.get("QQDIAG_SOAK_SEED", "0")) or random.randrange(1, 1 << 30)
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
SOON = 30.0  # seconds until it has to be back
MESSAGES = 3  # before each fault


@dataclass(frozen=True)
class Fault:
    """Switches, and what is done to the connection once they are thrown, so that the next one meets them."""

    switches: dict[str, Any] = field(default_factory=dict)
    cut: str | int | None = None  # one of CUTS, or a close code
    keeps: bool = True  # the protocol lets the client resume: it must, and then nothing is lost

    def throw(self, server: Server) -> None:
        server.switch(**self.switches)
        if isinstance(self.cut, int):
            server.close(self.cut)
        elif self.cut == "frame":
            server.frame("{")
        elif self.cut == "frozen":
            server.freeze()
            time.sleep(1.0)  # three heartbeats without an answer
            server.thaw()
        elif self.cut is not None:
            server.cut(self.cut)


def fault(cut: str | int | None = None, keeps: bool = True, **switches: Any) -> Fault:
    return Fault(switches, cut, keeps)


FAULTS: dict[str, Fault] = {
    **{cut: fault(cut) for cut in ("fin", "rst", "reconnect", "bad-hello", "close-idle", "frame", "frozen", "deafen")},
    **{f"close {code}": fault(code) for code in (1000, 1001, 4008, 4009)},
    # Codes that ask for a new session, and so give up what the old one held.
    **{f"close {code}": fault(code, keeps=False) for code in (4000, 4004, 4006, 4007, 4900, 4902, 4913)},
    "invalid-session": fault("invalid-session", keeps=False),
    "no ACK": fault(ack=False),
    "no Hello": fault("fin", hello=False),
    **{f"Hello with {wrong!r}": fault("rst", heartbeat_interval=wrong) for wrong in (None, 0, "soon")},
    "Identify ignored": fault("invalid-session", keeps=False, identify=False),
    "nothing answered": fault("rst", identify=False),
    "Resume ignored": fault("fin", resume="ignore"),
    "Resume cut": fault("rst", resume="cut"),
    "CLOSE ignored": fault("reconnect", answer_close=False),
    "CLOSE ignored, chatter": fault("bad-hello", answer_close=False, chatter=0.05),
    "chatter": fault(chatter=0.001),
    "pings": fault(pings=True),
    "pings, CLOSE ignored": fault("reconnect", pings=True, answer_close=False),
    "reads nothing": fault(read="nothing", pings=True, ack=False),
    "reads slowly": fault("reconnect", read="slowly"),
    "a flood of events": fault(events=0.002),
    "a flood, then cut": fault("rst", events=0.002),
    "refused": fault("fin", accept=False),
    "refused, reset": fault("rst", accept=False),
    **{f"token {how}": fault(4004, keeps=False, token=how) for how in ("fail", "hang", "dribble")},
    **{f"/gateway {how}": fault("rst", gateway=how, upgrade="fail") for how in ("fail", "hang", "dribble")},
    **{f"upgrade {how}": fault("fin", upgrade=how) for how in ("fail", "hang")},
    "slow REST": fault("fin", delay=0.3),
    "model hangs": fault("fin", model="hang"),
}


def test_every_switch_of_the_lab_is_thrown() -> None:
    assert {switch for one in FAULTS.values() for switch in one.switches} == set(WELL)
    assert {one.cut for one in FAULTS.values() if isinstance(one.cut, str)} | {"close", "say"} == {*CUTS, "frozen"}


@dataclass
class Size:
    """What must not grow."""

    tasks: int
    fds: int
    blocks: int  # of Python's allocator
    resident: int  # bytes


def size() -> Size:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    resident = pages * os.sysconf("SC_PAGE_SIZE")
    return Size(len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), sys.getallocatedblocks(), resident)


async def answered(server: Server, texts: set[str]) -> None:
    def holds(seen: dict[str, Any]) -> bool:
        return texts <= set(seen["contents"])

    await asyncio.to_thread(server.until, f"answers to {sorted(texts)}", holds)


async def heal(server: Server, bot: Adapter, number: int) -> None:
    """All switches back; it must be ready again, and answer."""
    await asyncio.to_thread(server.switch, **WELL)
    probe, end = f"probe {number}", time.monotonic() + SOON
    while probe not in server.seen()["contents"]:
        assert time.monotonic() < end, "it did not come back"
        async with asyncio.timeout(SOON):
            await bot.is_ready.wait()
        await asyncio.to_thread(server.say, probe)
        await asyncio.sleep(0.05)


async def modelled(server: Server, message: Incoming) -> str:
    """The content, once the stand-in for a model API has answered."""
    limit = aiohttp.ClientTimeout(total=0.5)
    while True:
        async with aiohttp.ClientSession(timeout=limit) as session:
            try:
                async with session.post(f"{server.url}/model", raise_for_status=True):
                    return message.content
            except TRANSPORT_ERRORS:
                await asyncio.sleep(0.05)


@dataclass
class Soak:
    """What was thrown, and how long the way back took."""

    thrown: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    back: list[float] = field(default_factory=list)  # seconds from the end of the fault to an answer
    kept: int = 0  # messages that were said right before a fault, and answered
    given_up: int = 0  # messages of sessions that ended by the protocol
    before: Size | None = None
    after: Size | None = None

    def said(self) -> str:
        return (
            f"{sum(self.thrown.values())} faults, back within {max(self.back):.1f} s "
            f"(median {sorted(self.back)[len(self.back) // 2]:.2f} s), {self.kept} messages kept, "
            f"{self.given_up} given up with their sessions; {self.before} -> {self.after}"
        )


async def endure(server: Server, chance: random.Random) -> Soak:
    async def echo(adapter: Adapter, message: Incoming) -> str:
        return await modelled(server, message)

    bot, soak = Adapter(Account("1", "lab", server.token_url, server.url), echo, timing=TIMING), Soak()
    await bot.begin()
    await heal(server, bot, 0)
    end = time.monotonic() + SECONDS
    while soak.before is None or time.monotonic() < end:
        for name in chance.sample(sorted(FAULTS), len(FAULTS)):
            if soak.before is None or time.monotonic() < end:
                await round_of(server, bot, name, soak)
        soak.before = soak.before or await calm(server, bot)  # once each was thrown, what is made once is made
    assert bot.watchdog is not None
    assert (bot.watchdog.stalls, bot.supervisor.restarts) == (0, 0)
    soak.after = await calm(server, bot, soak.before.fds)
    await bot.finish()
    return soak


async def round_of(server: Server, bot: Adapter, name: str, soak: Soak) -> None:
    """Messages, the fault at once behind them, and the way back."""
    number, one = sum(soak.thrown.values()) + 1, FAULTS[name]
    kept = {f"kept {number}.{index} {name}" for index in range(MESSAGES)}
    before = server.seen()
    for text in sorted(kept):
        await asyncio.to_thread(server.say, text)
    await asyncio.to_thread(one.throw, server)
    await asyncio.sleep(0.1)  # the fault lasts a moment
    ended = time.monotonic()
    await heal(server, bot, number)
    soak.back.append(time.monotonic() - ended)
    now = server.seen()
    resumed = now["identifies"] == before["identifies"]
    # The only other reason to give a session up: that many Resumes without an event.
    assert resumed or not one.keeps or now["resumes"] - before["resumes"] >= Session.limit, f"{name}: not resumed"
    if resumed:  # the session went on, so its events are the client's to answer
        await answered(server, kept)
    soak.kept, soak.given_up = soak.kept + MESSAGES * resumed, soak.given_up + MESSAGES * (not resumed)
    soak.thrown[name] += 1


async def calm(server: Server, bot: Adapter, fds: int | None = None) -> Size:
    """Its size when it has nothing to do: three tasks (this one, listener, heartbeat) and what stays open.

    Idle connections of REST come and go (aiohttp keeps one for 15 s), so it is waited until there are at most `fds`.
    """
    await asyncio.to_thread(server.cut, "close-idle")
    async with asyncio.timeout(SOON):
        while len(asyncio.all_tasks()) > 3 or not bot.is_ready.is_set() or size().fds > (fds or sys.maxsize):
            await asyncio.sleep(0.05)
    return size()


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """The adapter's log in a file: pytest keeps what it captures, which would look like growth.

    Not a fixture: pytest captures what does not propagate when the test begins.
    """
    logger, file = logging.getLogger("qqdiag.fixes"), logging.FileHandler(path)
    logger.addHandler(file)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(file)
        file.close()


@pytest.mark.lab
def test_it_comes_back_from_every_fault_and_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "soak.log"
    print(f"again: QQDIAG_SOAK={SECONDS:g} QQDIAG_SOAK_SEED={SEED} pytest tests/fixes/test_soak.py; its log: {log}")
    with start_server(bound=SECONDS + 300) as server, logging_to(log):
        soak = asyncio.run(endure(server, random.Random(SEED)))
    print(soak.said())
    assert all(soak.thrown.values())
    assert sum(soak.thrown.values()) >= SECONDS / 2
    assert soak.before is not None
    assert soak.after is not None
    assert soak.after.tasks <= soak.before.tasks
    assert soak.after.fds <= soak.before.fds
    # A connection that stays behind is some hundred blocks, a task some ten: one a fault would be seen.
    assert soak.after.blocks < soak.before.blocks + 1000 + 10 * sum(soak.thrown.values())
    assert soak.after.resident < soak.before.resident + (32 << 20)
