"""The source of the real adapter, as released and edited: which known faults it has, and by what that is seen."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

import hermes_environment
import pytest
from test_hermes_versions import python_of

from qqdiag.versions import Judged, adapters, judged, like
from qqdiag.versions.functions import function

pytestmark = pytest.mark.hermes
(SOURCE,) = adapters()


@functools.cache
def folder(version: str) -> Path:
    """Where that version's platforms lie."""
    question = "from importlib.util import find_spec; print(*find_spec('gateway').submodule_search_locations)"
    told = subprocess.run([python_of(version), "-c", question], capture_output=True, text=True, check=True)
    return Path(told.stdout.strip()) / "platforms"


def judge(text: str, base: str) -> dict[str, Judged]:
    """What is said of an adapter of this text; its methods found as `def` at their own place."""
    methods = {}
    for name, where, wanted in [(name, text, name) for name in SOURCE.methods] + [("base.connect", base, "connect")]:
        found = re.search(rf"^ +(async )?def {wanted}\(", where, re.MULTILINE)
        parsed = function(where, where[: found.start()].count("\n") + 1) if found else None
        if parsed is not None:
            methods[name] = parsed
    return judged(SOURCE, methods)


@pytest.fixture(scope="module", params=hermes_environment.VERSIONS)
def released(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """A version, its adapter's text and that of the base class."""
    at = folder(request.param)
    return request.param, (at / "qqbot" / "adapter.py").read_text("utf-8"), (at / "base.py").read_text("utf-8")


def test_a_release_is_known_by_its_faults(released: tuple[str, str, str]) -> None:
    version, text, base = released
    found = judge(text, base)
    assert version in like(SOURCE, {id: one.state for id, one in found.items()})
    lines = text.splitlines()
    for id, one in found.items():
        if one.state == "has" and one.line is not None:
            assert re.search(SEEN_AT[id], lines[one.line - 1]), (id, lines[one.line - 1])


# What stands in the line that is named for each fault.
SEEN_AT = {
    "spins": r"while .*closed",
    "gives-up": "MAX_RECONNECT_ATTEMPTS",
    "answers-uncounted": r"op == 11",
    "no-limit-on-silence": r"receive\(\)",
    "close-on-reopen": r"close\(\)",
    "close-on-request": r"close\(\)",
    "requests-ignored": "Unknown op",
    "renewal-drops-session": "4009",
    "fatal-is-retried": "4914",
    "counter-is-reset": "_reconnect",
    "nobody-is-told": "_set_fatal_error",
    "token-unguarded": "_ensure_token",
    "send-waits": "def _wait_for_reconnection",
}

# An edit of the first version (a pattern, what it becomes), the fault that it is about, and what is said of it then.
EDITS = {
    "checks before it reads": (
        r"(        while self\._running and self\._ws and not self\._ws\.closed:\n)",
        "        if self._ws.closed:\n            raise ConnectionError\n\\1",
        ("spins", "free"),
    ),
    "raises behind the loop": (
        r"(    async def _heartbeat_loop)",
        "        raise ConnectionError\n\n\\1",
        ("spins", "free"),
    ),
    "forgets the closed one": (
        r"( +logger\.warning\(.*Reconnect failed.*\n)",
        "\\1            self._ws = None\n",
        ("spins", "free"),
    ),
    "sleeps after each read": (
        r"(                await self\._read_events\(\)\n)",
        "\\1                await asyncio.sleep(1)\n",
        ("spins", "free"),
    ),
    "yields after each read": (
        r"(                await self\._read_events\(\)\n)",
        "\\1                await asyncio.sleep(0)\n",
        ("spins", "unknown"),
    ),
    "reads in a way of its own": (
        r"while self\._running and self\._ws and not self\._ws\.closed:",
        "async for msg in self._ws:",
        ("spins", "unknown"),
    ),
    "a drop ends it": (r"self\._mark_transport_disconnected\(\)", "self._mark_disconnected()", ("silent-exit", "has")),
    "a drop ends heartbeats": (
        r"self\._mark_transport_disconnected\(\)",
        "self._mark_disconnected()",
        ("heartbeat-exits", "has"),
    ),
    "a limit for the close": (
        r"await self\._ws\.close\(\)\n        self\._ws = None\n        if",
        "await asyncio.wait_for(self._ws.close(), 5)\n        self._ws = None\n        if",
        ("close-on-reopen", "free"),
    ),
    "a close by somebody else": (
        r"await self\._ws\.close\(\)\n        self\._ws = None\n        if",
        "await close_within(self._ws, 5)\n        self._ws = None\n        if",
        ("close-on-reopen", "unknown"),
    ),
    "PINGs of the library": (
        r"timeout=CONNECT_TIMEOUT_SECONDS,",
        "timeout=CONNECT_TIMEOUT_SECONDS, heartbeat=20,",
        ("no-limit-on-silence", "free"),
    ),
    "answers are counted": (
        r"(        if op == 11:\n)            return",
        "\\1            self._unanswered = 0",
        ("answers-uncounted", "free"),
    ),
    "a renewal keeps the session": (r" +4009,\n", "", ("renewal-drops-session", "free")),
    "more codes are fatal": (r"\{4914, 4915\}", "{4013, 4014, 4914, 4915}", ("fatal-is-retried", "free")),
    "somebody is told": (
        r"(        backoff_idx = 0\n)(?=        connect_time)",
        "\\1        asyncio.get_running_loop().call_soon(self._notify_fatal_error())\n",
        ("nobody-is-told", "free"),
    ),
    "somebody watches": (
        r"(            self\._mark_connected\(\)\n.*Connected\")",
        "            self._listen_task.add_done_callback(self._start_again)\n\\1",
        ("gives-up", "unknown"),
    ),
    "another argument of connect": (
        r"async def connect\(self\)",
        "async def connect(self, **given)",
        ("reconnect-argument", "free"),
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_is_judged_by_what_it_does(edit: str) -> None:
    pattern, becomes, (fault, state) = EDITS[edit]
    at = folder(hermes_environment.VERSION)
    text, base = (at / "qqbot" / "adapter.py").read_text("utf-8"), (at / "base.py").read_text("utf-8")
    edited, count = re.subn(pattern, becomes, text)
    assert count
    was, found = judge(text, base), judge(edited, base)
    assert found[fault].state == state, found[fault]
    if (was[fault].state, state) != ("free", "free"):
        assert was[fault].state != state
        releases = like(SOURCE, {id: one.state for id, one in found.items()})
        assert hermes_environment.VERSION not in releases
