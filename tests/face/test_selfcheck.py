"""No private value comes out, and if a conversion let one out, the self-check would stop it."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable
from urllib.parse import quote

import hand_made
import pytest
from planted import KINDS, Canaries, plant

from qqdiag.errors import LeakRefused
from qqdiag.model import Address, CodePath, FreeText, Id, Name, Path, Secret, TaskName, Text, User, Word
from qqdiag.redact import Privacy, Redacted, redact, texts
from qqdiag.redact.private_values import Private
from qqdiag.redact.pseudonyms import Pseudonyms
from qqdiag.redact.selfcheck import check, rendered
from qqdiag.render import html, jsonout, markdown, terminal
from qqdiag.snapshot import Snapshot

FORMS: dict[str, Callable[[Redacted], str]] = {
    "text": terminal.text,
    "coloured": lambda redacted: terminal.coloured(redacted, 80),
    "md": markdown.text,
    "html": html.text,
    "json": jsonout.text,
}
DIAGNOSIS = hand_made.diagnosis(hand_made.finding())


def page(form: str, snapshot: Snapshot, raw: bool = False) -> str:
    return rendered(FORMS[form], snapshot, DIAGNOSIS, raw, facts=form == "json")


@pytest.mark.parametrize("form", FORMS)
def test_a_plain_snapshot_passes(form: str) -> None:
    assert "missing-ack" in page(form, hand_made.snapshot())


@pytest.mark.parametrize("seed", range(16))
def test_no_canary_comes_out(seed: int) -> None:
    """Every text of the snapshot is a canary, of a class that the kind of text cannot justify."""
    canaries = Canaries(seed)
    snapshot = plant(hand_made.snapshot(), canaries)
    assert len(canaries.planted) > 100
    for form in FORMS:
        out = page(form, snapshot)
        found = [canary for canary in canaries.planted if leaks(canary, out)]
        assert not found, form


def leaks(canary: str, out: str) -> bool:
    """Whether any 8 characters of it are in the output, apart from what is ours or a public part of a path."""
    runs = {canary[start : start + 8] for start in range(len(canary) - 7)}
    return any(run in out for run in runs if run not in OURS)


OURS = "agent:main:qqbot:dm:"


def test_the_canaries_are_found_when_they_are_shown() -> None:
    """The search above can fail."""
    canaries = Canaries(1)
    out = page("json", plant(hand_made.snapshot(), canaries), raw=True)
    assert sum(leaks(canary, out) for canary in canaries.planted) > len(canaries.planted) // 2


@pytest.mark.parametrize("form", FORMS)
def test_raw_shows_everything_and_says_so_in_the_first_line(form: str) -> None:
    out = page(form, hand_made.snapshot(), raw=True)
    assert "zq83-hunter-secret" in out or form != "json"
    if form == "json":
        assert json.loads(out)["private"] is True
    else:
        assert "PRIVATE" in out.splitlines()[0]


PRIVATE_VALUE = "zq83-hunter-secret-77"
LEAKS: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value,
    "lower": str.lower,
    "upper": str.upper,
    "reversed": lambda value: value[::-1],
    "url": lambda value: quote(value, safe=""),
    "json": lambda value: json.dumps(value)[1:-1],
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 behind 1": lambda value: base64.b64encode(b"x" + value.encode()).decode(),
    "base64 behind 2": lambda value: base64.b64encode(b"xy" + value.encode()).decode(),
    "dashed": lambda value: "-".join(value),
    "split": lambda value: f"{value[:11]} {value[11:]}",
    "case swapped": str.swapcase,
    "head": lambda value: value[:9],
    "tail": lambda value: value[-9:],
}
CLASSES: list[type[Text]] = [Secret, FreeText, Path, User, Id, TaskName, Name, Word, CodePath, Address]


@pytest.mark.parametrize("spelling", LEAKS)
def test_a_leaking_conversion_is_stopped_in_every_spelling(spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(texts._CONVERSIONS, Secret, lambda value, names: LEAKS[spelling](value))
    snapshot = plant(hand_made.snapshot(), lambda kind: PRIVATE_VALUE if kind is Secret else None)
    with pytest.raises(LeakRefused):
        page("json", snapshot)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_leaking_conversion_is_stopped_in_every_class(kind: type[Text], monkeypatch: pytest.MonkeyPatch) -> None:
    """For the classes that are public when they look so, the value has another look."""
    value = "3f9c2b77d1e04a5599ab"
    monkeypatch.setitem(texts._CONVERSIONS, kind, lambda value, names: value)
    snapshot = plant(hand_made.snapshot(), lambda found: value if found is kind else None)
    with pytest.raises(LeakRefused):
        page("json", snapshot)


@pytest.mark.parametrize("spelling", LEAKS)
def test_no_leak_passes_in_any_spelling(spelling: str) -> None:
    """The guard's power, over values of many kinds, each in the middle of a page."""
    source = random.Random(spelling)
    kinds = [kind for kind in KINDS if "\x1b" not in kind(source)]  # no page holds an escape: `show` writes it out
    text = terminal.text(redact(hand_made.snapshot(), DIAGNOSIS))
    blank = terminal.text(redact(hand_made.snapshot(), DIAGNOSIS, blank=True))
    for kind in kinds:
        value = kind(source)
        if spelling == "dashed" and sum(map(str.isalnum, value)) < 10:
            continue  # runs of 10 are what is searched for without what stands between them
        with pytest.raises(LeakRefused):
            check(f"{text}it is {LEAKS[spelling](value)}.\n", blank, [Private(value, "Secret", "x")])


def test_false_alarms_are_rare() -> None:
    """Values by the thousand that stand nowhere on the page."""
    text = terminal.text(redact(hand_made.snapshot(), DIAGNOSIS))
    blank = terminal.text(redact(hand_made.snapshot(), DIAGNOSIS, blank=True))
    canaries = Canaries(1)
    check(text, blank, [Private(canaries(Secret), "Secret", "x") for _ in range(5000)])


def test_a_whole_code_path_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(texts._CONVERSIONS, CodePath, lambda value, names: value)
    with pytest.raises(LeakRefused, match="class"):
        page("text", hand_made.snapshot())


def test_the_refusal_names_class_and_place_and_never_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(texts._CONVERSIONS, User, lambda value, names: value)
    with pytest.raises(LeakRefused) as refused:
        page("text", hand_made.snapshot())
    said = {name: value.reveal() for name, value in refused.value.message.values.items()}  # type: ignore[union-attr]
    assert said == {"kind": "User", "source": "Process.user", "section": "process"}
    assert "--drop {section}" in refused.value.hint.template
    assert "missing-ack" in rendered(terminal.text, hand_made.snapshot(), DIAGNOSIS, privacy=Privacy(drop=("process",)))


def test_what_the_snapshot_does_not_hold_is_searched_too() -> None:
    """A value of the target's environment, which no collector keeps."""
    out, blank = "adapter at Zq83Hunter77 is silent\n", "nothing\n"
    with pytest.raises(LeakRefused):
        check(out, blank, [Private("Zq83Hunter77", "Secret", "environ")])


@pytest.mark.parametrize("value", ["root", "alice", "bob7x", "nas-3"])
def test_a_short_value_is_searched_as_a_word(value: str) -> None:
    with pytest.raises(LeakRefused):
        check(f"user {value} runs it\n", "user runs it\n", [Private(value, "User", "x")])
    check(f"user x{value}x runs it\n", "user runs it\n", [Private(value, "User", "x")])


def test_hidden_characters_do_not_hide() -> None:
    with pytest.raises(LeakRefused):
        check("Zq83\u200bHun\u2060ter77\n", "\n", [Private("Zq83Hunter77", "Secret", "x")])


OWN_WORDS = [
    "WebSocket closed: code=4009 reason=Session timed out",
    "waits for a message of the peer, last data received 41 m 12 s ago",
    "hermes-gateway", "/usr/lib/python3.12/asyncio/tasks.py", "qqbot", "running", "connected", "4009", "40022",
    "2026-05-25 02:30:33,484 WARNING gateway.platforms.qqbot.adapter: WebSocket closed",
    "ClientWebSocketResponse.receive", "asyncio.selector_events", "missing-ack", "4242", "123456", "0x7f0000002000",
]  # fmt: skip


def test_a_user_who_is_called_like_a_pseudonym_is_no_leak() -> None:
    values = iter(["user-1", "path-1"] * 500)
    snapshot = plant(hand_made.snapshot(), lambda kind: next(values) if kind in (User, Path) else None)
    assert "<user-1>" in page("text", snapshot)


@pytest.mark.parametrize("width", range(60, 120, 7))
def test_lines_that_end_elsewhere_are_no_leak(width: int) -> None:
    """A private text of our own words, on a terminal where the private part moves the line ends."""
    said = terminal.text(redact(hand_made.snapshot(), DIAGNOSIS, blank=True))
    snapshot = plant(hand_made.snapshot(), lambda kind: said if kind is FreeText else None)
    assert "missing-ack" in rendered(lambda redacted: terminal.coloured(redacted, width), snapshot, DIAGNOSIS)


@pytest.mark.parametrize("form", FORMS)
def test_what_qqdiag_says_itself_is_no_leak(form: str) -> None:
    """A private value made of our own words does not stop the report: an operator at night must get it."""
    for words in OWN_WORDS:
        snapshot = plant(hand_made.snapshot(), lambda kind, words=words: words if kind in (FreeText, Secret) else None)
        assert "missing-ack" in page(form, snapshot), words


def test_the_conversions_are_tried_with_all_classes() -> None:
    """A class that is added to the model must be added to the redaction and to these tests."""
    assert set(texts._CONVERSIONS) == set(Text.__subclasses__()) - {
        kind for kind in Text.__subclasses__() if kind.__module__ != "qqdiag.model"
    }


@pytest.mark.parametrize("form", ["md", "text"])
def test_nothing_hostile_comes_out(form: str) -> None:
    """Whatever the target's texts hold: no control characters, no mention, no link, no image, no end of the fence."""
    texts_of = iter(
        ["@everyone", "#123", "![x](http://x.example/i.png)", "````", "</details>", "\x1b]0;x\x07", "a\nb"] * 500
    )
    snapshot = plant(hand_made.snapshot(), lambda kind: next(texts_of))
    out = page(form, snapshot)
    assert all(character == "\n" or " " <= character <= "~" for character in out)
    if form == "md":
        assert not re.search(r"@|#\d|!\[|http", outside_fences(out))
        assert out.count("<details>") == out.count("</details>")


def outside_fences(markdown_text: str) -> str:
    """What GitHub would read as Markdown."""
    kept, fence = [], ""
    for line in markdown_text.splitlines():
        run = re.match("`{3,}", line)
        if fence:
            fence = "" if line == fence else fence
        elif run:
            fence = run.group()
        else:
            kept.append(line)
    assert not fence, "a fence is left open"
    return "\n".join(kept)


def test_pseudonyms_differ_for_different_values() -> None:
    names = Pseudonyms()
    assert len({names.name("user", str(number)) for number in range(1000)}) == 1000
