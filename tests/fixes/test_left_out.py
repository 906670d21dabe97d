"""The adapter with each of its later fixes, and without it: the failure that the fix ends comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from qqdiag.fixes.adapter import Adapter
from qqdiag.fixes.open_api import Account
from qqdiag.fixes.protocol import Incoming
from qqdiag.fixes.timing import Timing
from qqdiag.lab.control import Server, start_server

pytestmark = pytest.mark.lab

QUICK: dict[str, Any] = {"delays": (0.02,), "attempts": 1, "ready": 5.0, "quick": 0.0, "close_total": 2.0}
SOON = 20.0  # seconds until a test gives up


@pytest.fixture
def server() -> Iterator[Server]:
    with start_server() as server:
        yield server


@contextlib.asynccontextmanager
async def connected(server: Server, *without: str, **timing: Any) -> AsyncIterator[Adapter]:
    async def answer(adapter: Adapter, message: Incoming) -> str:
        return message.content

    account = Account("1", "lab", server.token_url, server.url)
    bot = Adapter(account, answer, frozenset({*without, "loop-watchdog"}), Timing(**{**QUICK, **timing}))
    await bot.begin()
    try:
        async with asyncio.timeout(SOON):
            await bot.is_ready.wait()
            yield bot
    finally:
        await bot.finish()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()
        assert len(asyncio.all_tasks()) == 1, "the adapter leaves no task behind"

    asyncio.run(main())


async def seen(server: Server, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return await asyncio.to_thread(server.until, what, holds)


async def resumed(server: Server, count: int) -> None:
    await seen(server, "a Resume", lambda seen: seen["resumes"] == count and seen["open"] == 1)


async def dead(bot: Adapter, server: Server) -> None:
    """The listener gives up, because the platform tells no address."""
    await asyncio.to_thread(server.switch, gateway="fail")
    await asyncio.to_thread(server.cut, "fin")
    assert bot.alone is not None
    await asyncio.wait({bot.alone})
    assert str(bot.alone.exception()) == "no more attempts"


def test_a_listener_that_ended_is_started_again(server: Server) -> None:
    async def test() -> None:
        async with connected(server, "listener", "url-cache") as bot:
            await asyncio.to_thread(server.switch, gateway="fail")
            await asyncio.to_thread(server.cut, "fin")
            while not bot.supervisor.restarts:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.switch, gateway="ok")
            await resumed(server, 1)

    run(test)


def test_without_a_supervisor_it_stays_ended(server: Server) -> None:
    async def test() -> None:
        async with connected(server, "listener", "url-cache", "supervisor") as bot:
            await dead(bot, server)
            await asyncio.to_thread(server.switch, gateway="ok")
            await asyncio.sleep(5 * bot.timing.delays[0])
            assert (bot.listening, server.seen()["resumes"]) == (bot.alone, 0)

    run(test)


@pytest.mark.parametrize("gate", [True, False])
def test_an_answer_does_not_wait_for_a_listener_that_ended(server: Server, gate: bool) -> None:
    async def test() -> None:
        left_out = ["listener", "url-cache", "supervisor", *(() if gate else ("send-gate",))]
        async with connected(server, *left_out, send_wait=SOON if gate else 0.2) as bot:
            await dead(bot, server)
            began = asyncio.get_running_loop().time()
            await bot.answers.answer(Incoming("labuser", "late", "ROBOT1.0_1"))
            took = asyncio.get_running_loop().time() - began
            assert (server.seen()["contents"] == ["late"]) is gate
            assert took < SOON if gate else took >= 0.2, "it waited for nobody, and the answer is lost"

    run(test)


@pytest.mark.parametrize("kept", [True, False])
def test_the_address_is_not_asked_for_at_each_reconnect(server: Server, kept: bool) -> None:
    """The platform limits how often it tells it, and a client that is refused does not come back."""

    async def test() -> None:
        async with connected(server, *(() if kept else ("url-cache",))) as bot:
            await asyncio.to_thread(server.switch, gateway="fail")
            await asyncio.to_thread(server.cut, "rst")
            if kept:
                await resumed(server, 1)
                assert server.seen()["gateways"] == 1
            else:
                await seen(server, "two refusals", lambda seen: seen["gateways"] >= 3)
                assert not bot.is_ready.is_set()

    run(test)


def test_an_address_that_fails_is_asked_for_again(server: Server) -> None:
    async def test() -> None:
        async with connected(server):
            await asyncio.to_thread(server.switch, upgrade="fail")
            await asyncio.to_thread(server.cut, "rst")
            await seen(server, "a second question", lambda seen: seen["gateways"] >= 2)
            await asyncio.to_thread(server.switch, upgrade="ok")
            await resumed(server, 1)

    run(test)


@pytest.mark.parametrize("fix", [True, False])
def test_a_storm_of_quick_disconnects_is_slowed_down(server: Server, fix: bool) -> None:
    async def test() -> None:
        left_out = () if fix else ("quick-disconnect",)
        async with connected(server, *left_out, quick=SOON, quick_rest=SOON) as bot:
            for number in range(3):
                assert (bot.pause, bot.session.session_id is not None) == (0.0, True)
                await asyncio.to_thread(server.cut, "fin")
                if number < 2 or not fix:
                    await resumed(server, number + 1)
                    await bot.is_ready.wait()
                    server.say("there is traffic", 1)
            while fix and not bot.pause:
                await asyncio.sleep(0.01)
            assert bot.pause == (SOON if fix else 0.0)

    run(test)


@pytest.mark.parametrize("fix", [True, False])
def test_a_watchdog_looks_at_the_loop_while_the_adapter_runs(server: Server, fix: bool) -> None:
    async def test() -> None:
        account = Account("1", "lab", server.token_url, server.url)

        async def silent(adapter: Adapter, message: Incoming) -> None:
            return None

        bot = Adapter(account, silent, frozenset() if fix else frozenset({"loop-watchdog"}))
        await bot.begin()
        dog = bot.watchdog
        assert (dog is not None) is fix
        assert dog is None or dog.thread.is_alive()
        await bot.finish()
        assert dog is None or not dog.thread.is_alive()

    run(test)
