"""Edits of a patched adapter by which a fork may differ: those after which it still has a fix, and those that undo one.

Each is a fix, a name, and what is replaced by what (regular expressions, each of which must be found).
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

import hermes_environment

LISTENS = r"(?m)^(    async def _listen_loop)"
OPENS = r"(?m)^(    async def _open_ws)"
ACKED = r"(if op == 11:\n) +self\._unanswered_heartbeats = 0\n"
GUARD = (
    r"(?ms)^        if self\._ws\.closed:\n            #.*?raise RuntimeError\(\"WebSocket closed\"\)\n"
    r"|^        if not self\._ws or self\._ws\.closed:\n            raise RuntimeError\(\"WebSocket closed\"\)\n"
)
READS = r"while self\._running and self\._ws and not self\._ws\.closed:"
WAITS = r"( +)if self\._listen_task is None or self\._listen_task\.done\(\):\n"
BOUNDED = r"await asyncio\.wait_for\(closing\.close\(\), CLOSE_DEADLINE_SECONDS\)"
LATER = r"asyncio\.get_running_loop\(\)\.call_later\(\n +READY_DEADLINE_SECONDS, _cut_connection, self\._ws\n +\)"
RECONNECTED = r"(if await self\._reconnect\(backoff_idx\):\n)( +)(backoff_idx = 0\n)"


@dataclass(frozen=True)
class Edit:
    fix: str
    name: str
    changes: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        return f"{self.fix}: {self.name}"

    def applied(self, text: str) -> str:
        for old, new in self.changes:
            text, count = re.subn(old, new, text)
            assert count, f"{self.id}: {old} is not there"
        return text


def edit(fix: str, name: str, *changes: tuple[str, str]) -> Edit:
    return Edit(fix, name, changes)


def in_turn(edits: tuple[Edit, ...]) -> list[tuple[Edit, str]]:
    """Each with one version: what is judged is the same code in all three."""
    return [(edit, hermes_environment.VERSIONS[place % 3]) for place, edit in enumerate(edits)]


KEEPS = (
    edit("bounded-close", "another name for the function", (r"_close_bounded", "shut")),
    edit(
        "bounded-close",
        "asyncio.timeout instead of wait_for",
        (BOUNDED, "async with asyncio.timeout(CLOSE_DEADLINE_SECONDS):\n            await closing.close()"),
    ),
    edit(
        "bounded-close",
        "written out where it closes",
        (r"await _close_bounded\(self\._session\)", "await asyncio.wait_for(self._session.close(), timeout=3)"),
    ),
    edit("bounded-close", "another time", (r"CLOSE_DEADLINE_SECONDS = 5\.0", "CLOSE_DEADLINE_SECONDS = 12.5")),
    edit(
        "bounded-close",
        "one loop for both",
        (
            r"(?s)( {8})if self\._ws and not self\._ws\.closed:\n +await _close_bounded\(self\._ws\)\n"
            r" +self\._ws = None\n"
            r"\s+if self\._session and not self\._session\.closed:\n +await _close_bounded\(self\._session\)\n",
            r"\1for one in (self._ws, self._session):\n\1    if one is not None and not one.closed:\n"
            r"\1        await _close_bounded(one)\n\1self._ws = None\n",
        ),
    ),
    edit("closed-read", "another name for the WebSocket", (r"self\._ws\b", "self._socket")),
    edit("closed-read", "it reads until it is told", (READS, "while True:")),
    edit(
        "closed-read",
        "a local name for the WebSocket",
        (r"( +)msg = await self\._ws\.receive\(\)", r"\1ws = self._ws\n\1msg = await ws.receive()"),
    ),
    edit(
        "closed-read",
        "two comparisons instead of a set",
        (
            r"elif msg\.type in \{aiohttp\.WSMsgType\.CLOSED, aiohttp\.WSMsgType\.ERROR\}:",
            "elif msg.type == aiohttp.WSMsgType.ERROR or msg.type == aiohttp.WSMsgType.CLOSED:",
        ),
    ),
    edit(
        "listener",
        "every exception by a tuple",
        (r"except Exception as exc:\n( +if not self)", r"except (Exception,) as exc:\n\1"),
    ),
    edit("listener", "cancellation goes on", (r"(except asyncio\.CancelledError:\n +)return", r"\1raise")),
    edit(
        "listener",
        "the count of attempts has a highest value",
        (r"( +)backoff_idx \+= 1\n", r"\1backoff_idx += 1\n\1if backoff_idx > 50:\n\1    backoff_idx = 50\n"),
    ),
    edit(
        "heartbeat-ack",
        "another name, another limit",
        (r"_unanswered_heartbeats >= 2", "_unanswered_heartbeats > 2"),
        (r"_unanswered_heartbeats", "_open_beats"),
    ),
    edit(
        "heartbeat-ack",
        "counted in a method",
        (r"self\._unanswered_heartbeats \+= 1", "self._count()"),
        (LISTENS, r"    def _count(self):\n        self._unanswered_heartbeats += 1\n\n\1"),
    ),
    edit(
        "heartbeat-ack",
        "closed instead of cut",
        (r"_cut_connection\(self\._ws\)\n( +)continue", r"self._create_task(_close_bounded(self._ws))\n\1continue"),
    ),
    edit(
        "ready-deadline",
        "a task instead of a timer",
        (LATER, "asyncio.create_task(self._cut_later(self._ws))"),
        (
            OPENS,
            r"    async def _cut_later(self, ws):\n        await asyncio.sleep(READY_DEADLINE_SECONDS)\n"
            r"        _cut_connection(ws)\n\n\1",
        ),
    ),
    edit("ready-deadline", "another time", (r"READY_DEADLINE_SECONDS = 30\.0", "READY_DEADLINE_SECONDS = 45")),
    edit("session-resume", "op 7 by a set", (r"if op == 7:", "if op in {7}:")),
    edit(
        "session-resume",
        "the codes have a name",
        (r"(?m)^(class QQAdapter)", r"OVER = frozenset({4006, 4007, *range(4900, 4914)})\n\n\n\1"),
        (r"if code in \{\n +4006,[^}]*\}:", "if code in (4006, 4007) or code is not None and 4900 <= code < 4914:"),
    ),
    edit(
        "send-gate",
        "asked in a property",
        (WAITS, r"\1if not self._listening:\n"),
        (
            LISTENS,
            r"    @property\n    def _listening(self):\n"
            r"        return self._listen_task is not None and not self._listen_task.done()\n\n\1",
        ),
    ),
    edit("quick-disconnect", "another name", (r"quick_disconnect_count", "short_ones")),
    edit(
        "quick-disconnect", "another pause", (r"asyncio\.sleep\(RATE_LIMIT_DELAY\)\n( +else)", r"asyncio.sleep(90)\n\1")
    ),
    edit("url-cache", "kept under another name", (r"_kept_gateway_url", "_url")),
    edit("supervisor", "another name", (r"_listener_ended", "_on_end")),
)

UNDOES = (
    edit("bounded-close", "no deadline", (BOUNDED, "await closing.close()")),
    edit("bounded-close", "None as the time", (r"CLOSE_DEADLINE_SECONDS = 5\.0", "CLOSE_DEADLINE_SECONDS = None")),
    edit(
        "bounded-close",
        "one close as it was",
        (r"await _close_bounded\(self\._session\)", "await self._session.close()"),
    ),
    edit("bounded-close", "the await is gone", (BOUNDED, "asyncio.wait_for(closing.close(), CLOSE_DEADLINE_SECONDS)")),
    edit("closed-read", "no test", (GUARD, "")),
    edit("closed-read", "return instead of raise", (r'raise RuntimeError\("WebSocket closed"\)', "return")),
    edit(
        "closed-read",
        "it reads on",
        (READS, "while True:"),
        (r'(WSMsgType\.ERROR\}:\n +)raise RuntimeError\("WebSocket closed"\)', r"\1continue"),
        (GUARD, ""),
    ),
    edit(
        "listener",
        "it gives up",
        (r"( +)backoff_idx \+= 1\n", r"\1backoff_idx += 1\n\1if backoff_idx > 7:\n\1    return\n"),
    ),
    edit(
        "listener",
        "some errors only",
        (r"except Exception as exc:\n( +if not self)", r"except RuntimeError as exc:\n\1"),
    ),
    edit("listener", "not to be cancelled", (r"(except asyncio\.CancelledError:\n +)return", r"\1continue")),
    edit("listener", "its own end", (r"self\._mark_transport_disconnected\(\)", "self._mark_disconnected()")),
    edit("heartbeat-ack", "answers are not counted", (ACKED, r"\1")),
    edit("heartbeat-ack", "heartbeats are not counted", (r" +self\._unanswered_heartbeats \+= 1\n", "")),
    edit(
        "heartbeat-ack",
        "a limit that is never reached",
        (r"_unanswered_heartbeats >= 2", "_unanswered_heartbeats >= 2000"),
    ),
    edit("heartbeat-ack", "nothing is cut", (r" +_cut_connection\(self\._ws\)\n( +continue)", r"\1")),
    edit("ready-deadline", "it never begins", (r"\n +self\._begin_ready_deadline\(\)\n", "\n")),
    edit(
        "ready-deadline",
        "RESUMED does not end it",
        (r'(t == "RESUMED":\n) +self\._end_ready_deadline\(\)\n', r"\1"),
    ),
    edit(
        "ready-deadline",
        "it only says so",
        (LATER, "asyncio.get_running_loop().call_later(30, logger.warning, 'late')"),
    ),
    edit("session-resume", "4009 drops the session", (r"( +)4006,\n", r"\1 4006,\n\1 4009,\n")),
    edit("session-resume", "op 7 is passed over", (r"if op == 7:", "if op == 77:")),
    edit("session-resume", "resumes are not counted", (r" +self\._resumes_in_vain \+= 1\n", "")),
    edit(
        "send-gate",
        "the other way round",
        (WAITS, r"\1if self._listen_task is None or not self._listen_task.done():\n"),
    ),
    edit("quick-disconnect", "set back by a new connection", (RECONNECTED, r"\1\2\3\2quick_disconnect_count = 0\n")),
    edit("quick-disconnect", "no pause", (r"await asyncio\.sleep\(RATE_LIMIT_DELAY\)\n( +else)", r"pass\n\1")),
    edit("url-cache", "never forgotten", (r" +self\._kept_gateway_url = None\n( +logger)", r"\1")),
    edit("url-cache", "never kept", (r" +self\._kept_gateway_url = url\n", "")),
    edit(
        "supervisor",
        "nobody is told of the end",
        (r" +self\._listen_task\.add_done_callback\(self\._listener_ended\)\n", ""),
    ),
    edit(
        "supervisor",
        "it is only logged",
        (r" +asyncio\.get_running_loop\(\)\.call_later\(5\.0, self\._start_listener\)\n", ""),
    ),
)


# --- edits of whole functions ----------------------------------------------------------------------------------------

BEAT = """
async def _heartbeat_loop(self) -> None:
    try:
        while self._running:
            await asyncio.sleep(self._heartbeat_interval)
            if not self._ws or self._ws.closed:
                continue
%s
    except asyncio.CancelledError:
        pass
"""


def method(name: str, text: str) -> tuple[str, str]:
    """A method of the class by others."""
    end = r"(?=^    (?:async )?def |^    @|^    # --|^    [A-Z_a-z]+ = |^\S|\Z)"
    return rf"(?ms)^    (?:async )?def {name}\(.*?{end}", f"{_literal(textwrap.indent(_plain(text), ' ' * 4))}\n\n"


def function(name: str, text: str) -> tuple[str, str]:
    """A function of the module by another one."""
    return rf"(?ms)^(?:async )?def {name}\(.*?(?=^\S)", f"{_literal(_plain(text))}\n\n\n"


def added(text: str) -> tuple[str, str]:
    """Methods more."""
    return LISTENS, _literal(textwrap.indent(_plain(text), " " * 4)) + "\n\n" + r"\1"


def above(text: str) -> tuple[str, str]:
    """Lines above the class."""
    return r"(?m)^(class QQAdapter)", _literal(_plain(text)) + "\n\n\n" + r"\1"


def beats(text: str) -> tuple[str, str]:
    """What each turn of the heartbeat does."""
    return method("_heartbeat_loop", BEAT % textwrap.indent(_plain(text), " " * 12))


def reads(text: str) -> tuple[str, str]:
    return method("_read_events", text)


def acked(text: str) -> tuple[str, str]:
    """What op 11 does."""
    return r"(if op == 11:\n +)self\._unanswered_heartbeats = 0\n", rf"\1{text}\n"


def hello(text: str) -> tuple[str, str]:
    """What op 10 does."""
    return r"(if op == 10:\n +)self\._unanswered_heartbeats = 0\n", rf"\1{text}\n"


def _plain(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def _literal(text: str) -> str:
    return text.replace("\\", r"\\")
