"""The reference fixes by themselves; each left out is a failing case of the lab."""

from __future__ import annotations

import ast
import asyncio
import sys
from pathlib import Path

import pytest

import qqdiag.fixes
from qqdiag.fixes.adapter import Adapter
from qqdiag.fixes.closed_read import Closed, usable
from qqdiag.fixes.heartbeat_ack import Heartbeats
from qqdiag.fixes.listener import back_off
from qqdiag.fixes.open_api import Account
from qqdiag.fixes.protocol import Incoming
from qqdiag.fixes.session_resume import Reaction, Session, reaction
from qqdiag.fixes.timing import Timing
from qqdiag.lab.control import Server, start_server
from qqdiag.lab.start import start

SOURCES = sorted(Path(qqdiag.fixes.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_fix_needs_only_the_standard_library_and_aiohttp(source: Path) -> None:
    """And, `adapter.py` and what it is made of alone, their neighbours."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            roots = {alias.name.partition(".")[0] for alias in node.names}
            assert roots <= {*sys.stdlib_module_names, "aiohttp"}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").partition(".")[0] in {*sys.stdlib_module_names, "aiohttp"}
        elif isinstance(node, ast.ImportFrom):
            assert source.stem in ("adapter", "answers", "beating", "open_api")


@pytest.mark.parametrize(
    ("code", "right"),
    [
        (None, Reaction.RESUME),
        (1000, Reaction.RESUME),
        (4000, Reaction.IDENTIFY),
        (4004, Reaction.NEW_TOKEN),
        (4006, Reaction.IDENTIFY),
        (4007, Reaction.IDENTIFY),
        (4008, Reaction.WAIT),
        (4009, Reaction.RESUME),
        (4013, Reaction.STOP),
        (4902, Reaction.IDENTIFY),
        (4913, Reaction.IDENTIFY),
        (4914, Reaction.STOP),
        (4915, Reaction.STOP),
    ],
)
def test_the_reaction_to_a_close_code(code: int | None, right: Reaction) -> None:
    assert reaction(code) is right


def test_a_session_that_is_resumed_in_vain_is_dropped() -> None:
    session = Session("id", 5)
    assert session.resumable()
    session.resumes = session.limit
    assert not session.resumable()
    assert not Session().resumable()


def test_back_off_is_capped_and_jittered() -> None:
    delays = [1.0, 2.0, 60.0]
    assert 0.75 <= back_off(0, delays) <= 1.25
    assert 45 <= back_off(2, delays) <= 75
    assert 45 <= back_off(10_000, delays) <= 75
    assert len({back_off(0, delays) for _ in range(10)}) > 1


def test_two_unanswered_heartbeats_are_overdue() -> None:
    beats = Heartbeats()
    beats.count_sent()
    assert not beats.overdue()
    beats.count_sent()
    assert beats.overdue()
    beats.count_answered()
    assert not beats.overdue()


def test_no_websocket_is_an_error() -> None:
    with pytest.raises(Closed):
        usable(None)


@pytest.mark.lab
def test_identify_and_heartbeats_are_what_the_protocol_says() -> None:
    with start("recovered") as running:
        running.server.say("one more")
        count = running.server.seen()["dispatched"]
        seen = running.server.until("the latest seq", lambda seen: seen["last_seq"] == count)
        assert seen["identified_with"]["intents"] == 1 << 25
        assert seen["identified_with"]["shard"] == [0, 1]
        assert seen["contents"][-1] == "you said one more"


def adapter(server: Server, without: set[str]) -> Adapter:
    async def answer(adapter: Adapter, message: Incoming) -> None:
        return None

    account = Account("1", "lab", server.token_url, server.url)
    return Adapter(account, answer, frozenset(without), Timing(delays=(0.05,)))


@pytest.mark.lab
@pytest.mark.parametrize(("without", "kind"), [(set(), "resumes"), ({"session-resume"}, "identifies")])
def test_4009_resumes_unless_the_fix_is_left_out(without: set[str], kind: str) -> None:
    async def run(server: Server) -> None:
        bot = adapter(server, without)
        await bot.begin()
        await bot.is_ready.wait()
        before = server.seen()[kind]
        await asyncio.to_thread(server.close, 4009)
        await asyncio.to_thread(server.until, "a new session", lambda seen: seen["open"] == 1 and seen[kind] > before)
        await bot.finish()

    with start_server() as server:
        asyncio.run(run(server))


def test_a_fix_that_does_not_exist_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="no such fix: bounded-clse"):
        Adapter(Account("", "", "", ""), lambda *_: asyncio.sleep(0), frozenset({"bounded-clse"}))
