"""The second net over log text: nothing private stays, what an operator needs does, and it takes no more than linear
work.
"""

from __future__ import annotations

import random
import re
import re._constants as opcodes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import string
from typing import Any

import hand_made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec.structs import replace
from planted import KINDS

from qqdiag.model import FreeText
from qqdiag.publish import page
from qqdiag.redact import Privacy
from qqdiag.redact.net import LONGEST, Net, words
from qqdiag.redact.patterns import ADDRESS, PATTERNS
from qqdiag.redact.private_values import Private
from qqdiag.redact.pseudonyms import Pseudonyms
from qqdiag.snapshot import LogFile, Logs, Snapshot

TEMPLATES = (
    "WebSocket closed: code=4009 reason={}", "Ready, session_id={}", "message from {}: sent", "token={}, retry",
    "Authorization: QQBot {}", "{} timed out after 30 s", "connect to {} failed", "['{}'] is unknown", "{}",
    "(attempt 3) {}", "user {} left", '{{"access_token": "{}"}}', "x{}", "{}x", "/{}/", "id:{}.", "é{}é", "0{}0",
)  # fmt: skip
LITERAL = some.text(some.sampled_from(string.ascii_letters + string.digits + "_-.@/"), min_size=8, max_size=40)


def net(*known: str) -> Net:
    return Net([Private(value, "Secret", "x") for value in known], Pseudonyms())


def runs(value: str) -> set[str]:
    return {value[start : start + 8] for start in range(len(value) - 7)}


@settings(max_examples=300, deadline=None, database=None)
@given(LITERAL, some.sampled_from(TEMPLATES))
def test_a_known_value_never_stays_whatever_stands_beside_it(value: str, template: str) -> None:
    shown = net(value).clean(template.format(value))
    fixed = template.format("\0")
    assert not [run for run in runs(value) if run in shown and run not in fixed and run not in "<private>"]


@settings(max_examples=300, deadline=None, database=None)
@given(some.lists(some.sampled_from(TEMPLATES), min_size=1, max_size=3), some.integers(0, 10**6))
def test_what_is_masked_stays_as_it_is(templates: list[str], seed: int) -> None:
    """Cleaning twice is cleaning once, as far as names in place of values go: no name is taken for a value."""
    source = random.Random(seed)
    text = " ".join(template.format(source.choice(KINDS)(source)) for template in templates)
    once = net().clean(text)
    assert set(re.findall(r"<[a-z]+(?:-\d+)?>", once)) <= NAMES
    assert "<" in text or "<<" not in once  # a value may hold one itself, and what stands before the mask stays


NAMES = {f"<{pattern.kind}>" for pattern in PATTERNS} | {"<word>", "<private>", "<UUID>", "<MAC>"}


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("template", TEMPLATES)
def test_no_canary_stays(kind: int, template: str) -> None:
    """Unknown values of 16 kinds, in the places where log lines have them."""
    source = random.Random(kind)
    for _ in range(20):
        canary = KINDS[kind](source)
        shown = net().clean(template.format(canary))
        inside = canary.removeprefix("agent:main:qqbot:dm:")
        assert inside not in shown
        assert not [word for word in re.findall(r"\w{8,}", inside) if word in shown], shown


KEPT = [
    "WebSocket closed: code=4009 reason=None", "Reconnecting in 30s (attempt 3)", "Quick disconnect (4.2s), count: 2",
    "Session error (4009), clearing session", "Heartbeat timeout after 41.25 seconds", "Not connected, waiting",
    "Rate limited (4008), waiting 60s", "ClientConnectorError: Cannot connect to host",
    "Task exception was never retrieved",
    "gateway.platforms.qqbot.adapter: retry 1/3", "ConnectionResetError [Errno 104] Connection reset by peer",
    "asyncio.exceptions.CancelledError", "connect to https://api.sgroup.qq.com/", "127.0.0.1:8080", "HTTP 429",
]  # fmt: skip


@pytest.mark.parametrize("line", KEPT)
def test_what_tells_of_the_failure_stays(line: str) -> None:
    assert net().clean(line).replace("<path>", "") == line


def test_an_address_has_the_name_that_it_has_elsewhere() -> None:
    names = Pseudonyms()
    name = names.address("192.168.31.45")
    cleaned = Net([], names).clean("lost 192.168.31.45:443, ::ffff:192.168.31.45 and 192-168-31-45")
    assert cleaned.count(name) == 3


def test_hidden_characters_do_not_hide() -> None:
    assert "Hunter77" not in net("Zq83Hunter77").clean("Zq83\u200bHun\u2060ter77")


# --- linear ----------------------------------------------------------------------------------------------------------


def greatest(parsed: Any) -> int:
    """How many characters a pattern may look at from one place: repeats multiply, what follows adds up."""
    total = 0
    for operation, argument in parsed:
        if operation in (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT):
            assert argument[1] is not opcodes.MAXREPEAT, "a repeat without an end"
            total += argument[1] * max(greatest(argument[2]), 1)
        elif operation is opcodes.BRANCH:
            total += sum(greatest(part) for part in argument[1])
        elif operation is opcodes.SUBPATTERN:
            total += greatest(argument[3])
        elif operation in (opcodes.ASSERT, opcodes.ASSERT_NOT):
            total += greatest(argument[1])
        else:
            total += 1
    return total


@pytest.mark.parametrize(
    "pattern", [ADDRESS, *(pattern.expression for pattern in PATTERNS)], ids=lambda one: one.pattern[:30]
)
def test_every_repeat_has_an_end(pattern: re.Pattern[str]) -> None:
    """So that what is spent at one place of a line does not grow with the line."""
    assert greatest(parser.parse(pattern.pattern, pattern.flags)) < 25_000


def test_the_measure_finds_a_repeat_without_an_end() -> None:
    with pytest.raises(AssertionError):
        greatest(parser.parse(r"[\w.]+@\w+"))


def test_a_line_of_100_kB_is_cut() -> None:
    assert len(net().clean("a b " * 25_000)) <= LONGEST


def test_the_vocabulary_holds_no_first_names() -> None:
    assert len(words()) > 3000
    assert words().isdisjoint({"alice", "bob", "tim", "guido", "wei", "qianwei"})


# --- in the report ---------------------------------------------------------------------------------------------------


def with_line(text: str) -> Snapshot:
    whole = hand_made.snapshot()
    assert isinstance(whole.logs, Logs)
    file = whole.logs.files[0]
    assert isinstance(file, LogFile)
    line = replace(file.last[0], text=FreeText(text), template=None)
    return replace(whole, logs=replace(whole.logs, files=[replace(file, last=[line], events=[])]))


@pytest.mark.parametrize("form", ["md", "text", "json"])
def test_log_text_is_shown_only_when_it_is_asked_for(form: str) -> None:
    snapshot = with_line("Quick disconnect (4.2s), count: 2 for hunter2secret")
    diagnosis = hand_made.diagnosis(hand_made.finding())
    assert "Quick disconnect" not in page(snapshot, diagnosis, form)
    shown = page(snapshot, diagnosis, form, privacy=Privacy(log_text=True))
    assert "Quick disconnect (4.2s), count: 2" in shown
    assert "hunter2" not in shown
    assert form == "json" or "Read it before you post it" in shown.splitlines()[0]


def test_what_is_private_elsewhere_is_masked_in_the_log_too() -> None:
    """The user's name, as a plain word that the vocabulary knows."""
    snapshot = with_line("connection of error lost")
    process = snapshot.samples[-1].process
    from qqdiag.model import User

    sample = replace(snapshot.samples[-1], process=replace(process, user=User("error")))  # type: ignore[type-var]
    shown = page(replace(snapshot, samples=[sample]), hand_made.diagnosis(), "text", privacy=Privacy(log_text=True))
    assert "connection of <private> lost" in shown
